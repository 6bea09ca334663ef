import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { SMALL_FRAME_BYTES, webSocketFrame } from '@mk/monitor-proto/io/websocket-frame';

const SIZES = [0, 1, 125, 126, 127, 255, 256, 1000, SMALL_FRAME_BYTES];
const payloadOf = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, i) => i % 251));

it('is read by ws at both ends, whatever its size', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: false,
  });
  const [accepted] = (await once(server, 'connection')) as [WebSocket];
  await once(client, 'open');
  for (const [from, to, masked] of [
    [client, accepted, true],
    [accepted, client, false],
  ] as const) {
    for (const size of SIZES) {
      const received = once(to, 'message');
      (from as unknown as { readonly _socket: { write(bytes: Buffer): void } })._socket.write(
        webSocketFrame(payloadOf(size), masked),
      );
      expect(await received).toEqual([payloadOf(size), true]);
    }
  }
  client.terminate();
  server.close();
});

it('is what ws itself writes', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const acceptor = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const raw = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  const request = {
    method: 'GET',
    headers: {
      upgrade: 'websocket',
      connection: 'upgrade',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-version': '13',
    },
  };
  acceptor.handleUpgrade(request as never, socket, Buffer.alloc(0), (accepted) => {
    for (const size of SIZES) accepted.send(payloadOf(size), { binary: true });
  });
  const expected = Buffer.concat(SIZES.map((size) => webSocketFrame(payloadOf(size), false)));
  let read = Buffer.alloc(0);
  while (
    read.length < expected.length ||
    !read.includes('\r\n\r\n') ||
    read.length < read.indexOf('\r\n\r\n') + 4 + expected.length
  ) {
    read = Buffer.concat([read, ((await once(raw, 'data')) as [Buffer])[0]]);
  }
  expect(read.subarray(read.indexOf('\r\n\r\n') + 4).equals(expected)).toBe(true);
  raw.destroy();
  server.close();
});
