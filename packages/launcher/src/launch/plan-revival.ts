import { asError } from '@mk/monitor-proto/thrown';
import type { FaultPlan } from '@mk/machine/fault-plan';
import type { ClusterSession } from '../supervisor/cluster-session.ts';
import { skbBack } from './plan-actions.ts';
import { plural } from '@mk/machine/counted';

/** The end of a core that wakes, or joins again, after the view has gone on without it. */
const LEFT_BEHIND = /PEER_GONE/;

/** Faults that may make the view go on without a living core. */
const SILENCING: ReadonlySet<string> = new Set(['rule', 'hang', 'slow', 'rogue']);

/**
 * Splits unplanned deaths by whether the plan's faults account for them: a core ends by itself once the view has gone
 * on without it.
 */
export function partDeaths(
  plan: FaultPlan,
  deaths: readonly string[],
): { readonly explained: readonly string[]; readonly others: readonly string[] } {
  const silenced = plan.faults.some(({ action }) => SILENCING.has(action.type));
  const isExplained = (death: string): boolean => silenced && LEFT_BEHIND.test(death);
  return { explained: deaths.filter(isExplained), others: deaths.filter((death) => !isExplained(death)) };
}

/**
 * Restarts the processes that ended because the view went on without them, and those that the plan started last but
 * that do not run. A core that the plan crashed and did not restart stays down.
 */
export async function revive(
  plan: FaultPlan,
  { supervisor, control }: ClusterSession,
  say: (text: string) => void,
): Promise<readonly string[]> {
  const last = new Map<number, 'crash' | 'restart'>();
  for (const { action } of plan.faults)
    if (action.type === 'crash' || action.type === 'restart')
      for (const core of action.cores) last.set(core, action.type);
  const fallen = supervisor
    .cores()
    .filter(([core, process]) => process.ended && (!process.endWanted || last.get(core) === 'restart'))
    .map(([core]) => core);
  if (fallen.length === 0) return [];
  say(`starting ${plural(fallen.length, 'core')} ${fallen.join(', ')} again`);
  await skbBack(control);
  const ends = await Promise.all(
    fallen.map((core) =>
      control.restart(core).then(
        () => null,
        (error: unknown) => `core ${core} did not come back: ${asError(error).message}`,
      ),
    ),
  );
  return ends.filter((end) => end !== null);
}
