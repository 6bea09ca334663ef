import { askProcess } from '../client/ask.ts';
import { absentBy, type Cores } from '../client/cores.ts';
import type { ClusterSession } from './cluster-session.ts';

/** The cores of this process's own cluster, through the interface that mkctl uses. */
export function sessionCores({ supervisor }: ClusterSession): Cores {
  return {
    absent: () => Promise.resolve(supervisor.cores().flatMap(([core, { state, how }]) => absentBy(core, state, how))),
    cores: () => askProcess('skb', supervisor.skbAddress, supervisor.access, 'cores'),
    core: (core, verb, args = {}, options = {}) =>
      askProcess('core', supervisor.core(core)?.address ?? '', supervisor.access, verb, args, options),
  };
}
