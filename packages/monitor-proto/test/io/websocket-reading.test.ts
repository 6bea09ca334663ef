import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { WebSocket } from 'ws';
import { readWholeMessages } from '@mk/monitor-proto/io/websocket-reading';
import { acceptWebSocket } from '@mk/monitor-proto/io/websocket-opening';

/** A frame of RFC 6455 §5.2 from a client; `mask`: every byte of its masking key. */
interface Sent {
  readonly opcode: 0 | 1 | 2 | 9;
  readonly fin: boolean;
  readonly size: number;
  readonly mask: number;
}

function bytesOf({ opcode, fin, size, mask }: Sent): Buffer {
  const length =
    size < 126
      ? [size]
      : size < 65_536
        ? [126, size >> 8, size & 255]
        : [127, 0, 0, 0, 0, 0, size >> 16, (size >> 8) & 255, size & 255];
  const head = [(fin ? 0x80 : 0) | opcode, 0x80 | length[0]!, ...length.slice(1), mask, mask, mask, mask];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(size, 0x41 ^ mask)]);
}

const MESSAGES: fc.Arbitrary<readonly Sent[]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(0, 1, 64, 125, 126, 300)
      .map((size): readonly Sent[] => [{ opcode: 2, fin: true, size, mask: 0 }]),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(5, 70_000).map((size): readonly Sent[] => [{ opcode: 2, fin: true, size, mask: 0 }]),
  },
  { weight: 1, arbitrary: fc.constant<readonly Sent[]>([{ opcode: 2, fin: true, size: 9, mask: 7 }]) },
  { weight: 1, arbitrary: fc.constant<readonly Sent[]>([{ opcode: 1, fin: true, size: 6, mask: 0 }]) },
  { weight: 1, arbitrary: fc.constant<readonly Sent[]>([{ opcode: 9, fin: true, size: 0, mask: 0 }]) },
  {
    weight: 1,
    arbitrary: fc.constant<readonly Sent[]>([
      { opcode: 2, fin: false, size: 3, mask: 0 },
      { opcode: 0, fin: true, size: 4, mask: 0 },
    ]),
  },
);

const server = createServer();
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

/** The sockets that each test opened. */
const opened: (() => void)[] = [];
afterEach(() => {
  for (const end of opened.splice(0)) end();
});

/**
 * How bytes arrive: in separate chunks, as from a stranger's WebSocket, or in a buffer that is overwritten afterwards.
 */
const WAYS = ['own chunks', 'a lent buffer'] as const;

/** A WebSocket to which the test feeds the bytes. */
async function accepted(
  way: (typeof WAYS)[number],
  heard: string[],
): Promise<{ readonly webSocket: WebSocket; readonly bring: (chunk: Buffer) => void }> {
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const { webSocket, socket, reads } = acceptWebSocket(accepted.pause(), 'AAAAAAAAAAAAAAAAAAAAAA==');
  socket.uncork();
  webSocket.binaryType = 'nodebuffer';
  reads.take = readWholeMessages(webSocket, true, (payload) => void heard.push(`binary ${payload.toString()}`));
  webSocket.on(
    'message',
    (data, isBinary) => void heard.push(`${isBinary ? 'binary' : 'text'} ${(data as Buffer).toString()}`),
  );
  webSocket.on('ping', () => void heard.push('ping'));
  opened.push(() => {
    webSocket.terminate();
    far.destroy();
  });
  const lend = (chunk: Buffer): void => {
    const lent = Buffer.concat([chunk, Buffer.alloc(64, 0x82)]);
    reads.options.callback(chunk.length, lent);
    lent.fill(0x82);
  };
  return { webSocket, bring: way === 'a lent buffer' ? lend : (chunk) => void socket.emit('data', chunk) };
}

describe.each(WAYS)('from %s', (way) => {
  it('hands on what was sent, in its order, however it is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(MESSAGES, { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
        async (messages, cuts) => {
          const heard: string[] = [];
          const { bring } = await accepted(way, heard);
          const bytes = Buffer.concat(messages.flat().map(bytesOf));
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const cut = i >= cuts.length ? bytes.length : cuts[i]!;
            bring(bytes.subarray(at, at + cut));
            at += cut;
          }
          const told = messages.map((frames) =>
            frames[0]!.opcode === 9
              ? 'ping'
              : `${frames[0]!.opcode === 1 ? 'text' : 'binary'} ${'A'.repeat(frames.reduce((sum, { size }) => sum + size, 0))}`,
          );
          expect(heard).toEqual(told);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('hears nothing more once the WebSocket is closing', async () => {
    const heard: string[] = [];
    const { webSocket, bring } = await accepted(way, heard);
    const message = bytesOf({ opcode: 2, fin: true, size: 1, mask: 0 });
    bring(message);
    webSocket.removeAllListeners('message');
    webSocket.close(4000);
    bring(Buffer.concat([message, message]));
    expect(heard).toEqual(['binary A']);
  });

  it.each([
    // The zeros could be a mask, and enough bytes for a message follow.
    ['a message without a mask from a client', [[0x82, 5, 0, 0, 0, 0, 0, 0x82, 5, 0, 0, 0, 0, 0]], 'MASK must be set'],
    [
      'a message inside of a fragmented one',
      [
        [0x02, 0x80, 0, 0, 0, 0],
        [0x82, 0x80, 0, 0, 0, 0],
      ],
      'invalid opcode 2',
    ],
  ])('leaves %s, which breaks the protocol, to ws', async (_what, chunks, error) => {
    const heard: string[] = [];
    const { webSocket, bring } = await accepted(way, heard);
    const failed = once(webSocket, 'error');
    for (const chunk of chunks) bring(Buffer.from(chunk));
    expect(heard).toEqual([]);
    expect(String(await failed)).toMatch(error);
  });

  it.each([
    // Two bytes under the key 82 00 00 00: from the header's second byte on it looks like a message with a mask of
    // zeros.
    ['half a header', [0x82], [0x82, 0x82, 0, 0, 0, 0, 0x41, 0x82, 0x80, 0, 0, 0, 0], [[0x82, 0x41], []]],
    ['a header', [0x82, 0x86, 0, 0, 0, 0], [0x82, 0x80, 0, 0, 0, 0], [[0x82, 0x80, 0, 0, 0, 0]]],
  ])('does not take what follows %s for a message of its own', async (_what, first, rest, payloads) => {
    const heard: string[] = [];
    const { bring } = await accepted(way, heard);
    bring(Buffer.from(first));
    bring(Buffer.from(rest));
    expect(heard).toEqual(payloads.map((payload) => `binary ${Buffer.from(payload).toString()}`));
  });
});
