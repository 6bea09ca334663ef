import { afterEach, expect, test } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { WebSocketTransport } from '../../src/io/transport.ts';
import { dialWebSocket, linkRequest } from '../../src/io/websocket-opening.ts';

const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

/** The outcome of dialling a server that answers everything with this. */
async function dialInto(answer: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer(
    (socket) => void socket.on('error', () => undefined).once('data', () => answer(socket)),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => {
    dialWebSocket(`127.0.0.1:${port}`, null, () => resolve('opened'), resolve);
  });
}

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';

test.each([
  ['another status', 'HTTP/1.1 404 Not Found\r\n\r\n', 'Unexpected server response: 404'],
  ['no HTTP', 'SSH-2.0-x\r\n\r\n', 'the peer does not speak HTTP'],
  [
    'a wrong accept',
    `${SWITCHING}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`,
    'Invalid Sec-WebSocket-Accept header',
  ],
  ['no upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'Invalid Upgrade header'],
])('a server that answers with %s is not a peer', async (_what, answer, reason) => {
  expect(await dialInto((socket) => void socket.write(answer))).toBe(reason);
});

test('a server that hangs up is not a peer', async () => {
  expect(await dialInto((socket) => void socket.destroy())).not.toBe('opened');
});

/** The server's end of the next connection that this process accepts. */
function accepted(): Promise<Socket> {
  return new Promise((resolve) => {
    const heard = (message: unknown): void => {
      unsubscribe('net.server.socket', heard);
      resolve((message as { readonly socket: Socket }).socket);
    };
    subscribe('net.server.socket', heard);
  });
}

/** Makes the next write arrive as a piece of its own. */
async function untilRead(socket: Socket, bytes: number): Promise<void> {
  while (socket.bytesRead < bytes) await new Promise((resolve) => setImmediate(resolve));
}

test('whoever speaks plain HTTP, in pieces too, reaches the HTTP handler', async () => {
  const owner = { linkUp: () => undefined, linkDown: () => undefined, frame: () => undefined };
  const transport = new WebSocketTransport(
    owner,
    (request, response) => void response.end(`you asked for ${request.url}`),
  );
  const port = await transport.listen('127.0.0.1', 0);
  ends.push(() => transport.shutdown());
  expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text()).toBe('you asked for /healthz');
  const server = accepted();
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /pie');
  await untilRead(await server, 'GET /pie'.length);
  socket.write('ces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  await once(socket, 'close');
  expect(text).toContain('you asked for /pieces');
});

const REQUEST =
  'GET /link HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n';

test.each([
  ['no first frame', '', null],
  ['an empty one', 'Mk-First-Frame: \r\n', Buffer.alloc(0)],
  ['one of three bytes', 'Mk-First-Frame: AQID\r\n', Buffer.from([1, 2, 3])],
])('a request with %s is one of ours', (_what, header, first) => {
  expect(linkRequest(Buffer.from(`${REQUEST}${header}\r\n`))).toEqual({ key: 'AAAAAAAAAAAAAAAAAAAAAA==', first });
});

test.each([
  ['two first frames', 'Mk-First-Frame: AQID\r\nMk-First-Frame: AQID\r\n'],
  ['a first frame that is not base64', 'Mk-First-Frame: *\r\n'],
  ['another header', 'Origin: http://x\r\n'],
])('a request with %s is left to the HTTP server', (_what, header) => {
  expect(linkRequest(Buffer.from(`${REQUEST}${header}\r\n`))).toBeNull();
});

test('a request that comes in pieces, and so goes to the HTTP server, has its first frame told as well', async () => {
  const told: unknown[] = [];
  const owner = {
    linkUp: (link: number, first: Uint8Array | null) => void told.push(link, first),
    linkDown: () => undefined,
    frame: () => undefined,
  };
  const transport = new WebSocketTransport(owner, (_request, response) => void response.end());
  const port = await transport.listen('127.0.0.1', 0);
  ends.push(() => transport.shutdown());
  const server = accepted();
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write(REQUEST.slice(0, 40));
  await untilRead(await server, 40);
  socket.write(`${REQUEST.slice(40)}Mk-First-Frame: AQID\r\n\r\n`);
  expect(((await once(socket, 'data')) as [Buffer])[0].toString()).toContain('101 Switching Protocols');
  expect(told).toEqual([2, Buffer.from([1, 2, 3])]);
  socket.destroy();
  const strange = connect(port, '127.0.0.1').on('error', () => undefined);
  strange.write(`${REQUEST}Mk-First-Frame: AQID\r\nMk-First-Frame: AQID\r\n\r\n`);
  expect(((await once(strange, 'data')) as [Buffer])[0].toString()).toContain('400 Bad Request');
  expect(told).toHaveLength(2);
});
