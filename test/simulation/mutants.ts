import { Dialling } from '@mk/monitor-proto/endpoint/dialling';
import { Channel } from '@mk/monitor-proto/urpc/channel';
import { ReceiveLane } from '@mk/monitor-proto/urpc/receive-lane';
import { SendLane } from '@mk/monitor-proto/urpc/send-lane';
import { Rounds } from '@mk/node-kernel/monitor/agreement/rounds';
import { ChangeSink } from '@mk/node-kernel/capability/model/changes';
import { MonitorContext } from '@mk/node-kernel/monitor/context';
import { OperationRunner } from '@mk/node-kernel/monitor/operations';
import { Lease } from '@mk/node-kernel/monitor/views/lease';
import { ViewAgreement } from '@mk/node-kernel/monitor/views/view-agreement';
import { Registry } from '@mk/skb/registry/registry';

/**
 * A deliberate bug, wrapped around one of the product's handlers, and the invariants whose checker has to detect it.
 */
export interface Mutant {
  readonly name: string;
  readonly caughtBy: readonly string[];
  /** Visible only where leases expire while a core hangs or is cut off. */
  readonly leases?: boolean;
  /** The class whose method is replaced. */
  readonly target: { readonly prototype: object };
  readonly method: string;
  /** Makes the bad method from the good one. */
  readonly wrap: (good: Method) => Method;
}

// The bugs reach into private parts: types would only be in the way.
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
type Self = any;
type Method = (this: Self, ...args: Self[]) => unknown;

/** Runs `work` with the bug in place. */
export function withMutant<T>({ target, method, wrap }: Mutant, work: () => T): T {
  const prototype = target.prototype as Record<string, Method>;
  const good = prototype[method]!;
  if (typeof good !== 'function') throw new Error(`there is no method ${method} to plant a bug in`);
  prototype[method] = wrap(good);
  try {
    return work();
  } finally {
    prototype[method] = good;
  }
}

const PREPARE = 1;

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'skipped deduplication: a repeated batch is handed on again',
    caughtBy: ['U1', 'U2'],
    target: ReceiveLane,
    method: 'accept',
    wrap: (good) =>
      function (batch, deliver) {
        if (batch.first <= this.received) deliver.push(...batch.messages.slice(0, this.received + 1 - batch.first));
        return good.call(this, batch, deliver);
      },
  },
  {
    name: 'no waiting for what is missing: an early message is handed on at once',
    caughtBy: ['U1', 'U2'],
    target: ReceiveLane,
    method: 'keep',
    wrap: () =>
      function (first, messages) {
        this.received = first + messages.length - 1;
        return 0;
      },
  },
  {
    name: 'wrong window: the receiver takes fewer messages than the sender may send',
    caughtBy: ['U3'],
    target: ReceiveLane,
    method: 'admits',
    wrap: () =>
      function (batch) {
        return batch.first + batch.messages.length - 1 <= this.received + 100;
      },
  },
  {
    name: 'lost resume: a new link begins after what the old one lost',
    caughtBy: ['U1', 'L1', 'C0', 'H1', 'U2', 'U3'],
    target: Channel,
    method: 'resume',
    wrap: (good) =>
      function (marks, now) {
        const resumed = good.call(this, marks, now);
        for (const lane of [this.urgentOut, this.monitorOut, this.bulkOut]) lane.sent = lane.acked = lane.highest;
        return resumed;
      },
  },
  {
    name: 'no retransmission: what a link dropped is never sent again',
    caughtBy: ['L1', 'C0', 'U1'],
    target: SendLane,
    method: 'repeat',
    wrap: () => () => null,
  },
  {
    name: 'no acks: nobody is told what came on the urgent lane',
    caughtBy: ['L1'],
    target: Channel,
    method: 'takeAcks',
    wrap: (good) =>
      function () {
        const [, monitor, bulk] = good.call(this) as number[];
        return [0, monitor, bulk];
      },
  },
  {
    name: 'acks that lie: an ack covers a message that has not come',
    caughtBy: ['U3', 'U1', 'C0'],
    target: Channel,
    method: 'marks',
    wrap: (good) =>
      function () {
        const marks = good.call(this) as number[];
        return this.bulkIn.early === null ? marks : [marks[0], marks[1], marks[2]! + this.bulkIn.missing];
      },
  },
  {
    name: 'repeats the wrong messages: a repair begins one message late',
    caughtBy: ['L1', 'C0', 'U1'],
    target: SendLane,
    method: 'repeat',
    wrap: (good) =>
      function (count, maxBytes) {
        const batch = good.call(this, count, maxBytes) as { first: number; messages: unknown[] } | null;
        return batch === null || batch.messages.length < 2
          ? null
          : { ...batch, first: batch.first + 1, messages: batch.messages.slice(1) };
      },
  },
  {
    name: 'early commit: the commit leaves before everybody has prepared',
    caughtBy: ['A2'],
    target: Rounds,
    method: 'begin',
    wrap: (good) =>
      function (...args) {
        const [{ phase, plan }, now] = args;
        const finish = args[2] as Method;
        if (phase !== PREPARE || plan.routes.length === 0) return good.apply(this, args);
        good.apply(this, [...args.slice(0, 2), () => undefined]);
        return finish.call(undefined, { consenting: 0, refusals: [], messages: 0 }, now);
      },
  },
  {
    name: 'refusals ignored: a round commits although somebody did not prepare',
    caughtBy: ['A2'],
    target: Rounds,
    method: 'begin',
    wrap: (good) =>
      function (...args) {
        const finish = args[2] as Method;
        args[2] = (result: object, now: number) => finish.call(undefined, { ...result, refusals: [] }, now);
        return good.apply(this, args);
      },
  },
  {
    name: 'ack before effect: a member answers first and acts later',
    caughtBy: ['A2'],
    target: Rounds,
    method: 'onRequest',
    wrap: (good) =>
      function (from, request, now) {
        if (request.below.length > 0) return good.call(this, from, request, now);
        this.host.send(from, {
          type: 'round_reply',
          op: request.op,
          phase: request.phase,
          count: 1,
          refusals: [],
          data: [],
        });
        this.host.timers.set(now + 5_000_000, () =>
          this.host.sink.log('round_voted', {
            op: request.op,
            phase: request.phase,
            result: 'ok',
            action: request.kind,
          }),
        );
        return undefined;
      },
  },
  {
    name: 'inner nodes do not wait: an aggregating core answers for itself alone',
    // Also H1, since an answer for fewer cores than asked is an offence.
    caughtBy: ['A2', 'C0', 'H1'],
    target: Rounds,
    method: 'onRequest',
    wrap: (good) =>
      function (from, request, now) {
        return good.call(this, from, { ...request, below: [] }, now);
      },
  },
  {
    name: 'acting twice: a member acts on one request two times',
    caughtBy: ['A1'],
    target: Rounds,
    method: 'voted',
    wrap: (good) =>
      function (node, refusal, now) {
        const { op, phase, request } = node;
        if (!node.ownVote && refusal === null)
          this.host.sink.log('round_voted', { op, phase, result: 'ok', action: request.kind });
        return good.call(this, node, refusal, now);
      },
  },
  {
    name: 'no deadline: a round waits for whoever does not answer',
    caughtBy: ['A3', 'C0', 'L1'],
    target: Rounds,
    method: 'expire',
    wrap: () => function () {},
  },
  {
    name: 'forgotten timers: a round that ended leaves its deadline behind',
    caughtBy: ['A1', 'L1'],
    target: Rounds,
    method: 'settle',
    wrap: (good) =>
      function (node, now) {
        node.timer = null;
        return good.call(this, node, now);
      },
  },
  {
    name: 'leaked operations: what has ended stays in the list',
    caughtBy: ['L1'],
    target: OperationRunner,
    method: 'start',
    wrap: (good) =>
      function (id, operation, now, done) {
        this.running.add({ id, disarm: null, finished: true });
        return good.call(this, id, operation, now, done);
      },
  },
  {
    name: 'changes told to nobody: of several changes of capabilities the services hear all but the first',
    caughtBy: ['CS1'],
    target: ChangeSink,
    method: 'takeChanges',
    wrap: (good) =>
      function () {
        return (good.call(this) as readonly unknown[]).slice(1);
      },
  },
  {
    name: 'takes part too soon: a monitor counts before a view with it',
    caughtBy: ['J2'],
    target: MonitorContext,
    method: 'isInView',
    wrap: () =>
      function () {
        return true;
      },
  },
  {
    name: 'introduced twice: the registry tells a new monitor about each other one two times',
    caughtBy: ['R3'],
    target: Registry,
    method: 'proxyBind',
    wrap: (good) =>
      function (...args) {
        good.apply(this, args);
        return good.apply(this, args);
      },
  },
  {
    name: 'incarnations again: a restarted core gets the number that it had',
    caughtBy: ['R2', 'C0', 'H1'],
    target: Registry,
    method: 'incarnationFor',
    wrap: () =>
      function () {
        return 1;
      },
  },
  {
    name: 'no redial: a broken link stays broken',
    caughtBy: ['L1', 'C0'],
    target: Dialling,
    method: 'later',
    wrap: () => function () {},
  },
  {
    name: 'long lease: a core acts on while a view without it is in force',
    caughtBy: ['V1'],
    leases: true,
    target: Lease,
    method: 'acknowledged',
    wrap: (good) =>
      function (sequence) {
        good.call(this, sequence);
        this.until += 100e9;
      },
  },
  {
    name: 'its own first view: each core leads the one that it was told',
    caughtBy: ['V3'],
    target: ViewAgreement,
    method: 'found',
    wrap: (good) =>
      function (view, now) {
        return good.call(this, { ...view, leader: this.self.core }, now);
      },
  },
];
