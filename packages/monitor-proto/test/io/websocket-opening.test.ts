import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { WebSocketTransport } from '../../src/io/transport.ts';
import { dialWebSocket } from '../../src/io/websocket-opening.ts';

const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

/** What a dialler makes of a server that answers everything with this. */
async function dialInto(answer: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => void socket.on('error', () => undefined).once('data', () => answer(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => {
    dialWebSocket(`127.0.0.1:${port}`, () => resolve('opened'), resolve);
  });
}

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';

test.each([
  ['another status', 'HTTP/1.1 404 Not Found\r\n\r\n', 'Unexpected server response: 404'],
  ['no HTTP', 'SSH-2.0-x\r\n\r\n', 'the peer does not speak HTTP'],
  ['a wrong accept', `${SWITCHING}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`, 'Invalid Sec-WebSocket-Accept header'],
  ['no upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'Invalid Upgrade header'],
])('a server that answers with %s is no peer', async (_what, answer, reason) => {
  expect(await dialInto((socket) => void socket.write(answer))).toBe(reason);
});

test('a server that hangs up is no peer', async () => {
  expect(await dialInto((socket) => void socket.destroy())).not.toBe('opened');
});

test('whoever speaks plain HTTP, in pieces too, reaches the HTTP handler', async () => {
  const owner = { linkUp: () => undefined, linkDown: () => undefined, frame: () => undefined };
  const transport = new WebSocketTransport(owner, (request, response) => void response.end(`you asked for ${request.url}`));
  const port = await transport.listen('127.0.0.1', 0);
  ends.push(() => transport.shutdown());
  expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text()).toBe('you asked for /healthz');
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /pie');
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.write('ces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  await once(socket, 'close');
  expect(text).toContain('you asked for /pieces');
});
