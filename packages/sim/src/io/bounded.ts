import { codeOf } from '@mk/monitor-proto/thrown';
import vm from 'node:vm';
import { Stalled } from '../programs/program-run.ts';

/**
 * A piece of a simulation takes some milliseconds of virtual time; a real core's turn is over or killed within about
 * five seconds.
 */
const BOUND_MS = 6_000;
/** What was broken off has had the processor for this part of its bound at least; else the host had no time for it. */
const OWN_SHARE = 0.5;
const PATIENCE_MOST = 64;

const CALL = new vm.Script('run()', { filename: 'mk:bounded' });
/** Made once: a context costs as much as a piece of a simulation. */
let shared: vm.Context | null = null;
/** Of the bound: a piece that has taken so much of it shall end at its next step, so that no turn is taken for endless that came last. */
const TIRED_PART = 1 / 8;
/** How many times as long as usual is waited for on this host: the clock on the wall tells nothing of who had the processor. */
let patience = 1;

/**
 * Runs something, and breaks it off after a bound of wall time: null then. What it worked on is in no state to go on with. One
 * watchdog, which is a thread, for many turns: one for each would cost thirty times what a turn costs. `tired`: it shall come back soon.
 * Throws Stalled as `watched` does.
 */
export function bounded<T>(run: (tired: () => boolean) => T, boundMs = BOUND_MS): { readonly value: T } | null {
  shared ??= vm.createContext({});
  const context = shared;
  const tiredAt = performance.now() + boundMs * TIRED_PART;
  const tired = (): boolean => performance.now() >= tiredAt;
  context['run'] = () => run(tired);
  try {
    return watched(boundMs, (timeout) => ({ value: CALL.runInContext(context, { timeout }) as T }));
  } finally {
    context['run'] = undefined;
  }
}

/**
 * Runs scripts that are broken off after the time that it gives them; null when they were, and the time was theirs. Throws Stalled when
 * the host had little of it for this process: it is not known whether they would have ended, and the next ones are given twice the time.
 */
export function watched<T>(boundMs: number, run: (timeoutMs: number) => T): T | null {
  const before = process.cpuUsage();
  try {
    return run(boundMs * patience);
  } catch (error) {
    if (codeOf(error) !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    const { user, system } = process.cpuUsage(before);
    if (user + system >= boundMs * OWN_SHARE * 1000) return null;
    patience = Math.min(PATIENCE_MOST, 2 * patience);
    throw new Stalled('the host had no time for the simulation');
  }
}
