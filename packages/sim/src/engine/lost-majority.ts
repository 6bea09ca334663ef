import { type CoreId, isCore } from '@mk/monitor-proto/ids';
import { isMember, majorityOf, type View } from '@mk/node-kernel/monitor/views/view';
import type { Simulation } from './simulation.ts';

/**
 * The lowest living member of the newest view if most of its members are dead; null if a majority lives, or nobody is
 * in a view.
 */
export function survivorOfLostMajority(simulation: Simulation): CoreId | null {
  const cores = [...simulation.nodes.values()].filter(({ kernel }) => kernel !== null && kernel !== undefined);
  const views = cores.flatMap(({ kernel }) => kernel?.services.views.agreement?.view ?? []);
  const newest = views.reduce<View | null>((best, view) => (view.number > (best?.number ?? 0) ? view : best), null);
  if (newest === null) return null;
  const living = cores.filter(({ kernel }) => {
    const agreement = kernel?.services.views.agreement;
    return agreement !== null && agreement !== undefined && isMember(newest, agreement.self);
  });
  if (newest.members.length - living.length < majorityOf(newest.members.length)) return null;
  const id = living.find(({ kernel }) => kernel?.services.views.agreement?.view === newest)?.id;
  return id !== undefined && isCore(id) ? id : null;
}
