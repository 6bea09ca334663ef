import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { WebSocketTransport } from '../../src/io/transport.ts';

/*
 * Pings of a peer that has not said who it is. They are answered as long as it reads the answers, and cost neither memory nor
 * the time of others when it does not.
 */
const PINGS = 400_000;
/** What a system may hold of the answers on its way, in pings: some megabytes. */
const ON_THE_WAY = 100_000;
const MASKED_PING = Buffer.concat([Buffer.from([0x89, 0x80 | 100]), Buffer.alloc(4 + 100)]);
const PONG_BYTES = 2 + 100;

let transport: WebSocketTransport;
let port = 0;

beforeEach(async () => {
  transport = new WebSocketTransport({ linkUp: () => {}, linkDown: () => {}, frame: () => {} }, () => {});
  port = await transport.listen('127.0.0.1', 0);
});
afterEach(() => transport.shutdown());

/** Our own opening, and one that node:http and ws read. */
const OPENINGS = ['', 'X-Other: yes\r\n'];

/** A link's socket behind its opening: nothing more has been read from it. */
async function opened(others: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  const opening = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\nSec-WebSocket-Version: 13\r\n`;
  socket.write(`GET /link HTTP/1.1\r\nHost: x\r\n${opening}${others}\r\n`);
  await new Promise<void>((resolve) => {
    let answer = '';
    const read = (bytes: Buffer): void => {
      answer += bytes.toString('latin1');
      if (!answer.endsWith('\r\n\r\n')) return;
      socket.off('data', read).pause();
      resolve();
    };
    socket.on('data', read);
  });
  return socket;
}

/** Resolves with the bytes that came, once there are so many or no more come. */
function readAll(socket: Socket, enough: number): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0;
    socket.on('end', () => resolve(bytes));
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= enough) resolve(bytes);
    });
    socket.resume();
  });
}

test.each(OPENINGS)('a peer that reads has each ping answered (%j)', async (others) => {
  const socket = await opened(others);
  for (let sent = 1; sent <= 20; sent++) {
    socket.write(MASKED_PING);
    expect(await readAll(socket, PONG_BYTES)).toBe(PONG_BYTES);
    socket.removeAllListeners('data');
  }
  socket.destroy();
});

test.each(OPENINGS)('one that does not read has what the system holds, and no more (%j)', async (others) => {
  const socket = await opened(others);
  const chunk = Buffer.concat(Array.from({ length: 1_000 }, () => MASKED_PING));
  for (let sent = 0; sent < PINGS; sent += 1_000)
    await new Promise<void>((resolve) => void socket.write(chunk, () => resolve()));
  const close = Buffer.concat([Buffer.from([0x88, 0x80]), Buffer.alloc(4)]);
  socket.write(close);
  const bytes = await readAll(socket, Number.POSITIVE_INFINITY);
  expect(bytes / PONG_BYTES).toBeLessThan(ON_THE_WAY);
  socket.destroy();
});
