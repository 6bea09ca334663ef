import { codeOf } from '@mk/monitor-proto/thrown';
import vm from 'node:vm';
import { Stalled } from '../programs/program-run.ts';

/**
 * The wall time that a piece of a simulation gets. A piece is some milliseconds of virtual time; a real core's turn is
 * over or killed within about five seconds.
 */
const BOUND_MS = 6_000;
/**
 * A piece that was broken off must have had the processor for this share of its bound; otherwise the host was too busy.
 */
const OWN_SHARE = 0.5;
const PATIENCE_MOST = 64;

const CALL = new vm.Script('run()', { filename: 'mk:bounded' });
/** Made once: a context costs as much as a piece of a simulation. */
let shared: vm.Context | null = null;
/**
 * A piece that has used this share of its bound should end at its next step, so that its last turn is not taken for
 * endless.
 */
const TIRED_PART = 1 / 8;
/** Factor by which bounds are extended on this host: wall time does not show who had the processor. */
let patience = 1;

/**
 * Runs something, and breaks it off after a bound of wall time; then returns null, and what it worked on must be
 * discarded. One watchdog, a thread, serves many turns: one for each would cost thirty times a turn. `tired` says that
 * the piece should return soon. Throws Stalled as `watched` does.
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
 * Runs scripts that are broken off when their time is up; null if they were and had the processor. Throws Stalled if
 * the host was too busy to give it to this process: they might have ended, and the next ones get twice the time.
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
