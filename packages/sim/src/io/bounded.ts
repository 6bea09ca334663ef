import { codeOf } from '@mk/monitor-proto/thrown';
import vm from 'node:vm';

/** A piece of a simulation is some milliseconds of virtual time; a turn of a real core is over or killed within about five seconds. */
const BOUND_MS = 6_000;

const CALL = new vm.Script('run()', { filename: 'mk:bounded' });
/** Made once: a context costs as much as a piece of a simulation. */
let shared: vm.Context | null = null;

/** Of the bound: a piece that has taken so much of it shall end at its next step, so that no turn is taken for endless that came last. */
const TIRED_PART = 1 / 8;

/**
 * Runs something, and breaks it off after a bound of wall time: null then. What it worked on is in no state to go on with. One
 * watchdog, which is a thread, for many turns: one for each would cost thirty times what a turn costs. `tired`: it shall come back soon.
 */
export function bounded<T>(run: (tired: () => boolean) => T, boundMs = BOUND_MS): { readonly value: T } | null {
  shared ??= vm.createContext({});
  const tiredAt = performance.now() + boundMs * TIRED_PART;
  const tired = (): boolean => performance.now() >= tiredAt;
  shared['run'] = () => run(tired);
  try {
    return { value: CALL.runInContext(shared, { timeout: boundMs }) as T };
  } catch (error) {
    if (codeOf(error) === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  } finally {
    shared['run'] = undefined;
  }
}
