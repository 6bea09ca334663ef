import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeMessage } from '@mk/monitor-proto/messages/codec';
import { decodeFrame, encodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { FRAME, type Frame } from '@mk/monitor-proto/urpc/frames';
import { type End, pair, ping, settle } from '../../packages/monitor-proto/test/endpoint/ends.ts';
import { mutantsOf } from '../support/mutations.ts';

/** What comes over a link whose other end is not ours, or has a fault: at an open link, and instead of a handshake. */

const from = { version: 1, cluster: 'mk', peer: 0, incarnation: 1, instance: 'the core' };
const FRAMES: readonly Frame[] = [
  { kind: FRAME.hello, from, nonce: Buffer.alloc(16, 1), knows: '', received: [0, 0, 0] },
  {
    kind: FRAME.welcome,
    from,
    nonce: Buffer.alloc(16, 2),
    proof: Buffer.alloc(32, 3),
    knows: 'x',
    received: [0, 0, 0],
  },
  { kind: FRAME.prove, proof: Buffer.alloc(32, 4) },
  { kind: FRAME.refuse, code: 20, text: 'no' },
  { kind: FRAME.volley, rally: 7, serve: 3, left: 0, figures: [250_000.5, 1e9, 249_000, 252_000] },
  ...[1, 2, 40].map((count): Frame => ({
    kind: FRAME.data,
    lamport: 4,
    acks: [0, 0, 0],
    missing: [0, 0, 0],
    batches: [
      { lane: 0, first: 1, messages: [encodeMessage({ type: 'clock_request', id: 1, t0: 0 })] },
      { lane: 1, first: 1, messages: Array.from({ length: count }, (_, i) => encodeMessage(ping(i))) },
      { lane: 1, first: 60, messages: [encodeMessage({ type: 'oct_request', id: 1, settled: 0, request: '{}' })] },
    ],
  })),
];
const MUTANTS = mutantsOf(FRAMES.map(encodeFrame));

function stateOf({ endpoint, outbox, peer, got }: End): object {
  const { channel } = peer;
  const { framesReceived, doubled } = endpoint.counters;
  return {
    ...{ marks: channel.marks(), unacknowledged: channel.unacknowledged, lamport: outbox.lamport, framesReceived },
    ...{ doubled, got: got.length },
  };
}

test('at an open link: taken whole, or the link ends and nothing has changed; afterwards all goes on', () => {
  fc.assert(
    fc.property(fc.array(MUTANTS, { minLength: 1, maxLength: 3 }), (frames) => {
      const ends = pair();
      settle(ends, 0);
      const [core, other] = ends;
      for (const bytes of frames) {
        const before = stateOf(other);
        const link = other.peer.link;
        if (link === 0) break;
        other.endpoint.frameReceived(link, bytes, 5);
        if (other.peer.link === 0) expect(stateOf(other)).toEqual(before);
        other.peer.channel.invariants();
      }
      settle(ends, 6);
      expect(core.endpoint.counters.framesRejected).toBeLessThanOrEqual(frames.length);
    }),
    { numRuns: 1_000 },
  );
});

test('instead of a handshake: nobody becomes a peer', () => {
  fc.assert(
    fc.property(fc.array(MUTANTS, { minLength: 1, maxLength: 4 }), (frames) => {
      const [core] = pair();
      const peers = core.endpoint.peers.size;
      core.endpoint.linkUp(2, frames[0]!, 0);
      for (const bytes of frames.slice(1)) core.endpoint.frameReceived(2, bytes, 1);
      core.endpoint.flush(20e9);
      expect(core.endpoint.peers.size).toBe(peers);
      expect(core.got).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test('what is read of a frame is what it says: written again, it is read as the same', () => {
  fc.assert(
    fc.property(MUTANTS, (bytes) => {
      const frame = decodeFrame(bytes);
      if (typeof frame === 'string') expect(frame.length).toBeLessThan(300);
      else expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    }),
    { numRuns: 1_000 },
  );
});
