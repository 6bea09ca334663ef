import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { encodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { FRAME } from '@mk/monitor-proto/urpc/frames';
import { ClusterPlace, type ReadyMessage } from './running-cluster.ts';

const FRAMES = 10_000;
const AT_ONCE = 50;
const place = new ClusterPlace();
let ready: ReadyMessage;

beforeAll(async () => {
  ({ ready } = await place.boot('--cores', '3', '--log-level', 'error'));
});
afterAll(() => place.cleanUp());

const from = { version: 1, cluster: 'mk', peer: 2, incarnation: 1, instance: 'ffff' };
const wellFormed = [
  encodeFrame({ kind: FRAME.hello, from, nonce: Buffer.alloc(16, 1), knows: '', received: [0, 0, 0] }),
  encodeFrame({ kind: FRAME.prove, proof: Buffer.alloc(32, 1) }),
  encodeFrame({ kind: FRAME.volley, rally: 1, serve: 1, left: 5, figures: [] }),
  encodeFrame({
    kind: FRAME.welcome,
    from,
    nonce: Buffer.alloc(16, 1),
    proof: Buffer.alloc(32),
    knows: '',
    received: [0, 0, 0],
  }),
  encodeFrame({
    kind: FRAME.data,
    lamport: 1,
    acks: [0, 0, 0],
    missing: [0, 0, 0],
    batches: [{ lane: 1, first: 1, messages: [[50, '0.1.1', 1, 1, 0, [[1, []]], Buffer.alloc(8)]] }],
  }),
];
/** Claims for which a careless decoder would allocate or recurse. */
const traps = [
  Buffer.from('ddffffffff', 'hex'),
  Buffer.from('c6ffffffff', 'hex'),
  Buffer.alloc(100_000, 0x91),
  Buffer.from('dfffffffff', 'hex'),
  Buffer.alloc((1 << 20) + 1, 0x90),
  Buffer.alloc(0),
];

/** A random frame, a mutated one, or a trap. */
function hostileFrame(prng: Prng): Buffer {
  const kind = prng.nextInt(100);
  if (kind < 2) return traps[prng.nextInt(traps.length)]!;
  if (kind < 40) return Buffer.from(Array.from({ length: prng.nextInt(300) }, () => prng.nextInt(256)));
  const bytes = Buffer.from(wellFormed[prng.nextInt(wellFormed.length)]!);
  for (let i = prng.nextInt(4); i >= 0; i--) bytes[prng.nextInt(bytes.length)] = prng.nextInt(256);
  return kind < 50 ? bytes.subarray(0, prng.nextInt(bytes.length)) : bytes;
}

/** Sends one frame on a fresh link, sometimes as text; resolves with the reason why the core closed the link. */
function attack(address: string, frame: Buffer, asText: boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://${address}/link`, { perMessageDeflate: false });
    socket.on('open', () => {
      socket.send(asText ? frame.toString('latin1') : frame);
      // A hello that survived its mutation is answered, and a proof is expected next: the second frame violates that.
      socket.send(Buffer.from([0xc1]));
    });
    socket.on('close', (_code, reason) => resolve(reason.toString()));
    socket.on('error', (error) => resolve(error.message));
  });
}

test('U4: a core stands 10,000 random and mutated frames: it stays up, counts them, closes each link with a reason', async () => {
  const target = ready.processes.find(({ name }) => name === 'core-1')!.address;
  const prng = createPrng(Number(process.env.MK_SEED ?? 20_261_123));
  const reasons = new Map<string, number>();
  for (let sent = 0; sent < FRAMES; sent += AT_ONCE) {
    const frames = Array.from({ length: AT_ONCE }, () => [hostileFrame(prng), prng.nextInt(50) === 0] as const);
    for (const reason of await Promise.all(frames.map(([frame, asText]) => attack(target, frame, asText))))
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const known = [
    'BAD_FRAME',
    'FRAME_TOO_LARGE',
    'OUT_OF_PLACE',
    'WRONG_VERSION',
    'WRONG_CLUSTER',
    'WRONG_INCARNATION',
    'PEER_UNKNOWN',
    'WRONG_PEER',
    'NOT_A_MEMBER',
  ];
  for (const [reason] of reasons) expect(known).toContain(reason);
  expect([...reasons.values()].reduce((sum, count) => sum + count, 0)).toBe(FRAMES);

  const metrics = await (await fetch(`http://${target}/metrics`)).text();
  const counted = (name: string): number => Number(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, 'm').exec(metrics)?.[1]);
  expect(counted('mk_frames_rejected_total') + counted('mk_links_refused_total')).toBeGreaterThanOrEqual(FRAMES);
  expect(await place.ask('bench', 'round', '--count', '3')).toMatchObject({ cores: 3 });
});
