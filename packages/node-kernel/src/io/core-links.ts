import { known } from '@mk/monitor-proto/assert';
import type { OwnLinks } from '@mk/monitor-proto/link/link-faults';
import type { MessageCosts } from '@mk/monitor-proto/link/occupancy';
import { CLEAR_LINK, type LinkSettings } from '@mk/monitor-proto/link/link-settings';
import { createPrng } from '@mk/monitor-proto/prng';
import type { Registration } from '../config.ts';

/** The SKB's description of a core's links, as JSON: see skb/src/io/settings.ts. */
interface CoreLinkSettings {
  readonly seed: string;
  readonly base: Partial<LinkSettings>;
  /** Added one-way delay to each core by id, from the machine description. */
  readonly delaysNs: readonly number[];
  /** The modelled time that a message to or from each core occupies this one; absent: none. */
  readonly sendNs?: readonly number[];
  readonly receiveNs?: readonly number[];
}

/** The costs of messages on a core that the registry has named; null: only their real cost. */
export function costsOfCore(registration: Registration): MessageCosts | null {
  const { sendNs, receiveNs } = settingsOf(registration);
  if (sendNs === undefined || receiveNs === undefined) return null;
  return { sendNs: (to) => sendNs[to] ?? 0, receiveNs: (from) => receiveNs[from] ?? 0 };
}

/** The shape of the links of a core that the registry has named: the machine's latencies, between cores only. */
export function linksOfCore(registration: Registration): OwnLinks {
  const { core, incarnation } = registration;
  const { seed, base, delaysNs } = settingsOf(registration);
  const own = { self: core, capacity: delaysNs.length, prng: createPrng(`${seed}/links/${core}/${incarnation}`) };
  if (Object.keys(base).length === 0 && delaysNs.every((delay) => delay === 0)) return own;
  return {
    ...own,
    base: (to) =>
      to >= delaysNs.length
        ? CLEAR_LINK
        : { ...CLEAR_LINK, ...base, delayNs: (base.delayNs ?? 0) + known(delaysNs[to]) },
  };
}

function settingsOf({ settings }: Registration): CoreLinkSettings {
  return JSON.parse(settings) as CoreLinkSettings;
}
