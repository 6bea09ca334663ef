/** The course of one run: every access of every thread, on one clock. */
import { roundRobin } from '../common/known.ts';
import type { Mk } from '@mk/libmk/program/mk';
import { spaceTimeLines } from '../common/space-time.ts';
import type { LitmusTest } from '../common/litmus-tests.ts';
import type { told } from './share.ts';

export interface Witness {
  readonly outcome: string;
  /** Which run of the test, from 1. */
  readonly run: number;
  readonly accesses: readonly {
    readonly thread: number;
    readonly core: number;
    readonly access: string;
    readonly began_ns: number;
    readonly ended_ns: number;
  }[];
  /** How exactly the cores' clocks were compared; 0: all threads ran on one core. */
  readonly clocks_within_ns: number;
}

/** Exchanges of the time with a core; the fastest counts. */
const EXCHANGES = 8;

/** Asks the threads for their accesses in a run of the batch that has just ended. */
export async function witness(
  mk: Mk,
  test: LitmusTest,
  cores: readonly number[],
  found: { readonly outcome: string; readonly run: number; readonly inBatch: number },
): Promise<Witness> {
  const accesses: Witness['accesses'][number][] = [];
  let within = 0;
  for (const thread of test.threads.keys()) {
    const core = roundRobin(cores, thread);
    const { ahead, exact } = await clockOf(mk, core);
    within = Math.max(within, exact);
    const state = { thread, run: found.inBatch };
    const done = await mk.spawnOn<typeof told>(core, 'told', state).join();
    for (const { text, beganNs, endedNs } of done)
      accesses.push({ thread, core, access: text, began_ns: beganNs - ahead, ended_ns: endedNs - ahead });
  }
  return { outcome: found.outcome, run: found.run, accesses, clocks_within_ns: within };
}

export function witnessLines(
  test: LitmusTest,
  { outcome, run, accesses, clocks_within_ns: within }: Witness,
): string[] {
  const first = Math.min(...accesses.map(({ began_ns: began }) => began));
  const last = Math.max(...accesses.map(({ ended_ns: ended }) => ended));
  const heads = test.threads.map((_, thread) => {
    const core = accesses.find((access) => access.thread === thread)?.core;
    return `thread ${thread}, core ${core ?? '?'}`;
  });
  const spans = accesses.map(({ thread, access, began_ns: beganNs, ended_ns: endedNs }) => ({
    column: thread,
    text: access,
    beganNs,
    endedNs,
  }));
  const clocks = within === 0 ? 'one clock' : `clocks agree within ${(within / 1000).toFixed(1)} us`;
  return [
    `  the first FORBIDDEN outcome, ${outcome}, came in run ${run}; what led to it (${clocks}):`,
    ...spaceTimeLines(heads, spans),
    `  from ${(first / 1e6).toFixed(3)} to ${(last / 1e6).toFixed(3)} ms of the first core's clock; no order of these accesses, each at one moment, gives that outcome`,
  ];
}

/**
 * How far a core's clock is ahead of this one's, and the uncertainty. A difference within the exchange itself counts as
 * none.
 */
async function clockOf(mk: Mk, core: number): Promise<{ readonly ahead: number; readonly exact: number }> {
  let best = { ahead: 0, exact: core === mk.self.core ? 0 : Infinity };
  for (let i = 0; i < EXCHANGES && core !== mk.self.core; i += 1) {
    const sent = mk.now();
    const theirs = Number(await mk.spawnOn(core, 'clock').join());
    const half = (mk.now() - sent) / 2;
    if (half < best.exact) best = { ahead: theirs - sent - half, exact: half };
  }
  return Math.abs(best.ahead) < best.exact ? { ...best, ahead: 0 } : best;
}
