import type { Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Kernel } from '../kernel.ts';
import { PLAN_KINDS } from '../monitor/agreement/plan.ts';
import { NOOP_ACTION } from '../monitor/agreement/round-actions.ts';
import type { RoundReport } from '../monitor/agreement/one-phase.ts';
import { type Operation, OperationError, type Outcome } from '../monitor/operations.ts';
import { summarise } from '../monitor/probes/statistics.ts';
import type { Arguments } from './arguments.ts';
import { CAPABILITY_VERBS } from './capability-verbs.ts';
import { KNOWLEDGE_VERBS } from './knowledge-verbs.ts';

/** A verb of a core's control port: what it takes and what it does. */
export interface Verb {
  readonly args: readonly string[];
  readonly doc: string;
  /** A value to answer with at once, or an operation whose result is the answer. Throws OperationError. */
  run(kernel: Kernel, args: Arguments, now: Nanos): unknown;
}

const COUNT = { min: 1, max: 100_000_000 } as const;
const CORE = { min: 0, max: limit('maxCores') - 1 } as const;
const PAYLOAD = { min: 0, max: limit('pingPayloadBytes'), otherwise: 64 } as const;

/** What can be asked of a core's kernel from outside. The host adds verbs of its own (faults, logs, process). */
export const VERBS: Readonly<Record<string, Verb>> = {
  ...CAPABILITY_VERBS,
  ...KNOWLEDGE_VERBS,
  status: { args: [], doc: 'Who this core is and whom it is bound to.', run: (kernel) => kernel.status() },
  links: { args: [], doc: 'Channels and round trips, one row a peer.', run: (kernel, _args, now) => kernel.links(now) },
  ping: {
    args: ['core', 'count', 'bytes', 'pause_us'],
    doc: 'Round trips to another core, nanoseconds.',
    run(kernel, args) {
      const count = args.whole('count', { min: 1, max: 1_000_000, otherwise: 10 });
      const payload = new Uint8Array(args.whole('bytes', PAYLOAD));
      const pauseNs = 1000 * args.whole('pause_us', { min: 0, max: 10_000_000, otherwise: 0 });
      return pingSummary(kernel, args.whole('core', CORE), count, payload, pauseNs);
    },
  },
  round: {
    args: ['plan', 'phases', 'count', 'bytes'],
    doc: 'Agreement rounds that do nothing, one after the other.',
    run(kernel, args) {
      const plan = args.oneOf('plan', PLAN_KINDS, 'multicast');
      const phases = args.whole('phases', { min: 1, max: 2, otherwise: 1 }) as 1 | 2;
      const count = args.whole('count', { min: 1, max: 1_000_000, otherwise: 1 });
      return roundSeries(
        kernel,
        plan,
        phases,
        count,
        new Uint8Array(args.whole('bytes', { ...PAYLOAD, otherwise: 0 })),
      );
    },
  },
  flood: {
    args: ['core', 'count', 'bytes'],
    doc: 'Numbered messages as fast as the channel takes them; the receiver reports what came.',
    run: (kernel, args) =>
      kernel.monitor.flood.run(args.whole('core', CORE), args.whole('count', COUNT), args.whole('bytes', PAYLOAD)),
  },
  ring: {
    args: ['cores', 'count', 'bytes'],
    doc: 'A token handed round these cores, this one first, so many times; nanoseconds a round.',
    run: (kernel, args) =>
      ringSummary(
        kernel,
        args.cores('cores') ?? [],
        args.whole('count', COUNT),
        new Uint8Array(args.whole('bytes', PAYLOAD)),
      ),
  },
  touched: {
    args: ['cores'],
    doc: 'The links to these cores (or "all") may have changed: measures them, and tells the SKB what moved.',
    run(kernel, args, now) {
      const { context, drift } = kernel.monitor;
      drift.look(args.cores('cores') ?? [...context.monitors.keys()], now);
      return null;
    },
  },
  clock: {
    args: ['core', 'count'],
    doc: 'The offset of another core’s clock.',
    run: (kernel, args) =>
      kernel.monitor.clock.offsetOf(
        args.whole('core', { min: 0, max: 65_535 }),
        args.whole('count', { min: 1, max: 1000, otherwise: 8 }),
      ),
  },
};

function* pingSummary(
  kernel: Kernel,
  core: number,
  count: number,
  payload: Uint8Array,
  pauseNs: Nanos,
): Operation<unknown> {
  if (!kernel.monitor.context.monitors.has(core))
    throw new OperationError('PEER_UNKNOWN', `core ${core} is no member of the cluster`);
  const samples = yield* kernel.monitor.ping.series(core, count, payload, pauseNs);
  return { core, bytes: payload.length, ...summarise(samples) };
}

function* ringSummary(
  kernel: Kernel,
  cores: readonly number[],
  count: number,
  payload: Uint8Array,
): Operation<unknown> {
  const { core, monitors } = kernel.monitor.context;
  if (cores[0] !== core || cores.length < 2 || new Set(cores).size < cores.length)
    throw new OperationError('BAD_REQUEST', `ring: cores must be two or more different ones, core ${core} first`);
  const stranger = cores.find((other) => other !== core && !monitors.has(other));
  if (stranger !== undefined) throw new OperationError('PEER_UNKNOWN', `core ${stranger} is no member of the cluster`);
  return { cores, bytes: payload.length, ...summarise(yield* kernel.monitor.ring.run(cores, count, payload)) };
}

function* roundSeries(
  kernel: Kernel,
  plan: (typeof PLAN_KINDS)[number],
  phases: 1 | 2,
  count: number,
  payload: Uint8Array,
): Operation<unknown> {
  const samples: Nanos[] = [];
  let report: RoundReport | null = null;
  for (let i = 0; i < count; i++) {
    const [outcome, elapsed] = (yield {
      arm(resume, now) {
        kernel.monitor.startRound(plan, phases, NOOP_ACTION, payload, now, (result, at) =>
          resume([result, at - now], at),
        );
        return () => undefined;
      },
    }) as [Outcome<RoundReport>, Nanos];
    if (!outcome.ok) throw new OperationError(outcome.error, outcome.text);
    report = outcome.value;
    samples.push(elapsed);
  }
  return { plan, phases, cores: report?.cores ?? 0, messages: report?.messages ?? 0, ...summarise(samples) };
}
