import { EventEmitter } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { WebSocketTransport } from '../../src/io/transport.ts';
import { answerPings } from '../../src/io/websocket-pings.ts';

/*
 * Pings of a peer that has not identified itself. They are answered as long as it reads the answers, and cost neither
 * memory nor others' time when it does not.
 */
const PINGS = 20;
const PING_BYTES = 100;
const MASKED_PING = Buffer.concat([Buffer.from([0x89, 0x80 | PING_BYTES]), Buffer.alloc(4 + PING_BYTES)]);
const MASKED_CLOSE = Buffer.concat([Buffer.from([0x88, 0x80]), Buffer.alloc(4)]);
const PONG_BYTES = 2 + PING_BYTES;

let transport: WebSocketTransport;
let port = 0;

beforeEach(async () => {
  transport = new WebSocketTransport({ linkUp: () => {}, linkDown: () => {}, frame: () => {} }, () => {});
  port = await transport.listen('127.0.0.1', 0);
});
afterEach(() => transport.shutdown());

/** Everything received on a link that is opened, sends these frames and is then closed. */
function answersTo(frames: Buffer, others: string): Promise<Buffer> {
  const opening = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\nSec-WebSocket-Version: 13\r\n`;
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    let opened = false;
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('data', (bytes: Buffer) => {
      answer = Buffer.concat([answer, bytes]);
      if (opened || !answer.includes('\r\n\r\n')) return;
      opened = true;
      socket.write(Buffer.concat([frames, MASKED_CLOSE]));
    });
    socket.on('close', () => resolve(answer.subarray(answer.indexOf('\r\n\r\n') + 4)));
    socket.on('end', () => socket.end());
    socket.write(`GET /link HTTP/1.1\r\nHost: x\r\n${opening}${others}\r\n`);
  });
}

/** Our own opening, and one that node:http and ws read. */
test.each(['', 'X-Other: yes\r\n'])('each ping of a peer that reads is answered once (%j)', async (others) => {
  const pings = Buffer.concat(Array.from({ length: PINGS }, () => MASKED_PING));
  const answers = await answersTo(pings, others);
  const pongs = Array.from({ length: PINGS }, (_, i) => answers[i * PONG_BYTES]);
  expect(pongs).toEqual(pongs.map(() => 0x8a));
  expect(answers[PINGS * PONG_BYTES]).toBe(0x88);
});

/** A peer that reads only when it is told to. */
class UnreadSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  answered: string[] = [];
  private writes: (() => void)[] = [];

  pong(data: Buffer, _mask?: boolean, written?: () => void): void {
    this.bufferedAmount += PONG_BYTES;
    this.answered.push(data.toString());
    if (written !== undefined) this.writes.push(written);
  }

  ping(...texts: readonly string[]): void {
    for (const text of texts) this.emit('ping', Buffer.from(text));
  }

  /** Everything queued has left. */
  read(): void {
    this.bufferedAmount = 0;
    for (const written of this.writes.splice(0)) written();
  }
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

test('one that does not read is answered no more, until it does: then its last ping is answered', () => {
  const socket = new UnreadSocket();
  answerPings(socket);
  socket.ping(...numbered(100_000));
  expect(socket.bufferedAmount).toBeLessThan(20_000);
  const before = socket.answered.length;
  expect(socket.answered).toEqual(numbered(before));
  socket.read();
  expect(socket.answered.slice(before)).toEqual(['99999']);
  socket.ping('again');
  expect(socket.answered.slice(before)).toEqual(['99999', 'again']);
});

test('behind other data that waits, one ping is answered and of the others the last', () => {
  const socket = new UnreadSocket();
  answerPings(socket);
  socket.bufferedAmount = 1 << 20;
  socket.ping('a', 'b', 'c');
  expect(socket.answered).toEqual(['a']);
  socket.read();
  expect(socket.answered).toEqual(['a', 'c']);
});

test('the last ping of one that has closed is not answered', () => {
  const socket = new UnreadSocket();
  answerPings(socket);
  socket.bufferedAmount = 1 << 20;
  socket.ping('a', 'b');
  socket.readyState = 3;
  socket.read();
  expect(socket.answered).toEqual(['a']);
});
