import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MILLISECOND, type Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { decodeMessage } from '@mk/monitor-proto/messages/codec';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import { createPrng } from '@mk/monitor-proto/prng';
import { Channel } from '@mk/monitor-proto/urpc/channel';
import type { DataFrame } from '@mk/monitor-proto/urpc/frames';

/**
 * Two channels and the link between them, which loses, duplicates, delays and reorders frames, and is sometimes reset.
 */
class Pair {
  readonly ends = [new Channel(), new Channel()] as const;
  readonly delivered: [Message[], Message[]] = [[], []];
  now: Nanos = 0;
  private readonly way: {
    readonly to: 0 | 1;
    readonly at: Nanos;
    readonly epoch: number;
    readonly frame: DataFrame;
  }[] = [];
  private epoch = 0;

  constructor(
    private readonly faults: { loss: number; duplicate: number; jitterMs: number },
    private readonly random: () => number,
  ) {}

  /** Sends the frames that the channels have ready. */
  pump(): void {
    for (const from of [0, 1] as const) {
      for (
        let frame = this.ends[from].takeFrame(this.now, 0);
        frame !== null;
        frame = this.ends[from].takeFrame(this.now, 0)
      )
        this.carry(from === 0 ? 1 : 0, frame);
    }
  }

  /** Lets the next thing happen: a frame arrives or a timer is due. False: nothing is left. */
  step(): boolean {
    this.pump();
    this.way.sort((a, b) => a.at - b.at);
    const deadline = Math.min(this.ends[0].deadline, this.ends[1].deadline);
    const next = this.way[0];
    if (next === undefined && deadline === Infinity) return false;
    if (next !== undefined && next.at <= deadline) {
      this.way.shift();
      this.now = Math.max(this.now, next.at);
      if (next.epoch === this.epoch) this.arrive(next.to, next.frame);
    } else {
      this.now = Math.max(this.now, deadline);
      for (const end of this.ends) end.expire(this.now);
    }
    this.pump();
    return true;
  }

  /** The socket breaks: frames in flight are lost, and a new one resumes. */
  reset(): void {
    this.epoch += 1;
    this.way.length = 0;
    const marks = this.ends.map((end) => end.marks());
    expect(this.ends[0].resume(marks[1]!, this.now)).toBe(true);
    expect(this.ends[1].resume(marks[0]!, this.now)).toBe(true);
  }

  private carry(to: 0 | 1, frame: DataFrame): void {
    const copies = this.random() < this.faults.loss ? 0 : this.random() < this.faults.duplicate ? 2 : 1;
    for (let i = 0; i < copies; i++)
      this.way.push({
        to,
        at: this.now + MILLISECOND * (1 + this.random() * this.faults.jitterMs),
        epoch: this.epoch,
        frame,
      });
  }

  private arrive(to: 0 | 1, frame: DataFrame): void {
    expect(this.ends[to].violation(frame)).toBeNull();
    for (const wire of this.ends[to].receive(frame, this.now).messages) {
      const message = decodeMessage(wire);
      if (typeof message === 'string') throw new Error(message);
      this.delivered[to].push(message);
    }
  }
}

function flood(number: number): MessageOf<'flood'> {
  return { type: 'flood', stream: 1, number, payload: new Uint8Array() };
}
function clockRequest(id: number): MessageOf<'clock_request'> {
  return { type: 'clock_request', id, t0: 0 };
}
function numbersOf(messages: readonly Message[], type: 'flood' | 'clock_request'): number[] {
  return messages
    .filter((m) => m.type === type)
    .map((m) => (m as { number?: number; id?: number }).number ?? (m as { id: number }).id);
}

describe('a URPC channel', () => {
  it('U1, U2: hands on each message once and in order per lane, whatever the link does (model: a queue per lane)', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.record({
          loss: fc.constantFrom(0, 0.05, 0.3),
          duplicate: fc.constantFrom(0, 0.2),
          jitterMs: fc.constantFrom(0, 3, 20),
        }),
        fc.array(fc.constantFrom('flood', 'clock_request', 'step', 'step', 'reset'), { minLength: 20, maxLength: 300 }),
        (seed, faults, script) => {
          const prng = createPrng(seed);
          const pair = new Pair(faults, () => prng.nextFloat());
          const model = { flood: [] as number[], clock_request: [] as number[] };
          for (const [i, action] of script.entries()) {
            if (action === 'step') pair.step();
            else if (action === 'reset') pair.reset();
            else if (pair.ends[0].send(action === 'flood' ? flood(i) : clockRequest(i))) model[action].push(i);
          }
          for (let turns = 0; pair.ends.some((end) => !end.idle); turns++) {
            if (turns > 20_000 || !pair.step()) throw new Error('the channel does not come to rest');
          }
          expect(numbersOf(pair.delivered[1], 'flood')).toEqual(model.flood);
          expect(numbersOf(pair.delivered[1], 'clock_request')).toEqual(model.clock_request);
        },
      ),
      { numRuns: Number(process.env.MK_PROPERTY_RUNS ?? 300) },
    );
  });

  it('U1: sends again what was lost on one lane, although acks of another one keep coming', () => {
    let lose = true;
    const pair = new Pair({ loss: 0.5, duplicate: 0, jitterMs: 0 }, () => (lose ? 0 : 1));
    pair.ends[0].send(clockRequest(1));
    pair.pump();
    lose = false;
    for (let number = 1; pair.now < 3 * limit('retransmitMinNs'); number += 1) {
      pair.ends[0].send(flood(number));
      pair.step();
    }
    expect(numbersOf(pair.delivered[1], 'clock_request')).toEqual([1]);
    expect(pair.ends[0].retransmitted).toBe(1);
  });

  it('learns the round trip of a slow link from a busy lane, whatever another one sends again', () => {
    const pair = new Pair({ loss: 0, duplicate: 0, jitterMs: 399 }, () => 1);
    for (let floods = 0, clocks = 0; pair.now < 20_000 * MILLISECOND; pair.step()) {
      if (pair.now >= floods * 100 * MILLISECOND) pair.ends[0].send(flood((floods += 1)));
      if (pair.now >= clocks * 1_000 * MILLISECOND) pair.ends[0].send(clockRequest((clocks += 1)));
    }
    expect(pair.ends[0].roundTripNs).toBeGreaterThanOrEqual(800 * MILLISECOND);
    expect(pair.ends[0].retransmitted).toBeLessThan(20);
  });

  it('U3: never has more than a window on the way, and answers BUSY when the queue is full', () => {
    const channel = new Channel();
    let taken = 0;
    while (channel.send(flood(taken + 1))) taken += 1;
    expect(taken).toBe(limit('bulkQueue'));
    let out = 0;
    for (let frame = channel.takeFrame(0, 0); frame !== null; frame = channel.takeFrame(0, 0))
      out += frame.batches.reduce((sum, batch) => sum + batch.messages.length, 0);
    expect(out).toBe(limit('bulkWindow'));
  });

  it('tells a sender that was refused when there is room again', () => {
    const pair = new Pair({ loss: 0, duplicate: 0, jitterMs: 0 }, () => 0.5);
    let number = 0;
    while (pair.ends[0].send(flood(number + 1))) number += 1;
    pair.pump();
    let sendable = false;
    const receive = pair.ends[0].receive.bind(pair.ends[0]);
    pair.ends[0].receive = (frame, now) => {
      const received = receive(frame, now);
      sendable ||= received.sendable;
      return received;
    };
    while (!sendable) expect(pair.step()).toBe(true);
    expect(pair.ends[0].send(flood(number + 1))).toBe(true);
  });

  it('puts urgent messages ahead of bulk ones', () => {
    const channel = new Channel();
    channel.send(flood(1));
    channel.send(clockRequest(1));
    expect(channel.takeFrame(0, 0)!.batches.map((batch) => batch.lane)).toEqual([0, 2]);
  });

  it('needs no frame of its own for an ack when a reply is about to leave', () => {
    const [a, b] = [new Channel(), new Channel()];
    a.send(clockRequest(1));
    b.receive(a.takeFrame(0, 0)!, 0);
    expect(b.takeFrame(0, 0)).toBeNull();
    b.send(clockRequest(2));
    expect(b.takeFrame(1, 0)!.acks[0]).toBe(1);
    b.expire(limit('ackDelayNs'));
    expect(b.takeFrame(limit('ackDelayNs'), 0)).toBeNull();
  });

  it('sends an ack by itself when half a window waits for it', () => {
    const [a, b] = [new Channel(), new Channel()];
    for (let i = 1; i <= limit('bulkWindow') / 2; i++) a.send(flood(i));
    for (let frame = a.takeFrame(0, 0); frame !== null; frame = a.takeFrame(0, 0)) b.receive(frame, 0);
    expect(b.takeFrame(0, 0)!.acks[2]).toBe(limit('bulkWindow') / 2);
  });

  it('takes an ack for what was never sent, and a message outside the window, as a breach of the protocol', () => {
    const channel = new Channel();
    const frame = { kind: 5, lamport: 0, acks: [0, 0, 0], missing: [0, 0, 0], batches: [] } as const;
    expect(channel.violation({ ...frame, acks: [0, 1, 0] })).toMatch('never sent');
    const far = limit('monitorWindow') + 1;
    expect(channel.violation({ ...frame, batches: [{ lane: 1, first: far, messages: [[40, 1]] }] })).toMatch(
      'outside its window',
    );
  });

  it('refuses to resume with a peer that has forgotten what it acknowledged', () => {
    const [a, b] = [new Channel(), new Channel()];
    a.send(clockRequest(1));
    b.receive(a.takeFrame(0, 0)!, 0);
    b.expire(limit('ackDelayNs'));
    a.receive(b.takeFrame(1, 0)!, 1);
    expect(a.resume([0, 0, 0], 2)).toBe(false);
  });
});
