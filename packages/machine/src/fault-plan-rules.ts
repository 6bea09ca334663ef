import type { Nanos } from '@mk/monitor-proto/ids';
import type { HealTarget } from '@mk/monitor-proto/link/rule-state';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import type { LinkOverrides } from '@mk/monitor-proto/link/link-settings';
import { z } from 'zod';
import { LINK_SETTINGS } from './fault-plan-schema.ts';
import type { FaultEntry, LinkEntry } from './fault-plan-schema.ts';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { explain } from './strict.ts';

const SETTINGS = z.strictObject(LINK_SETTINGS);
const NOTHING_SET =
  'link: set at least one of delay, jitter, loss, duplicate, reorder, rate, reset_after, reset_opening';

/** Turns a plan's entry into a rule for the fault engine, or says what the entry lacks. */
export function toRule(entry: FaultEntry, defaultId: string, forNs: Nanos | null): FaultRule | string {
  const { partition, isolate, link } = entry;
  if (partition !== undefined) {
    const { groups, one_way: oneWay, id } = partition;
    return { kind: 'partition', id: id ?? defaultId, for_ns: forNs, groups, one_way: oneWay };
  }
  if (isolate !== undefined) {
    return { kind: 'isolate', id: isolate.id ?? defaultId, for_ns: forNs, cores: isolate.core };
  }
  if (link === undefined) return 'no rule';
  const settings = linkOverrides(link);
  if (Object.keys(settings).length === 0) return NOTHING_SET;
  const { from, to, both } = link;
  return { kind: 'link', id: link.id ?? defaultId, for_ns: forNs, from, to, both, settings };
}

/** Settings of a plan's entry as the overrides of a link rule. */
function linkOverrides(link: Partial<LinkEntry>): LinkOverrides {
  const { loss, reset_after: resetAfter } = link;
  const overrides: { -readonly [K in keyof LinkOverrides]: LinkOverrides[K] | undefined } = {
    delay_ns: link.delay,
    jitter_ns: link.jitter,
    distribution: link.distribution,
    correlation: link.correlation,
    // One kind of loss replaces the other: even loss 0 ends bursts.
    loss: loss === undefined ? undefined : typeof loss === 'number' ? loss : 0,
    burst: loss === undefined ? undefined : typeof loss === 'number' ? null : loss,
    drop_first: link.drop_first,
    duplicate: link.duplicate,
    reorder: link.reorder,
    rate_bytes_per_second: link.rate,
    limit: link.limit,
    reset_after_ns: resetAfter !== undefined && 'ns' in resetAfter ? resetAfter.ns : undefined,
    reset_after_frames: resetAfter !== undefined && 'frames' in resetAfter ? resetAfter.frames : undefined,
    reset_opening: link.reset_opening,
  };
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)) as LinkOverrides;
}

/** Link settings from a command line (`--delay 20ms --loss 1%`, keys as in a plan); the error names the option. */
export function parseLinkSettings(options: Readonly<Record<string, unknown>>): Result<LinkOverrides, string> {
  const parsed = SETTINGS.safeParse(options);
  if (!parsed.success) return refuse(explain(parsed.error, SETTINGS));
  return succeed(linkOverrides(parsed.data as Partial<LinkEntry>));
}

export function toHealTarget(heal: NonNullable<FaultEntry['heal']>): HealTarget {
  if (heal === 'all') return 'all';
  return 'rule' in heal ? { id: heal.rule } : { from: heal.from, to: heal.to };
}
