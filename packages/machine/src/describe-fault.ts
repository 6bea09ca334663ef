import type { FaultAction } from './fault-plan.ts';
import { formatCores, formatDuration } from './duration.ts';
import { describeRule, type FaultRule } from '@mk/monitor-proto/link/fault-rule';
import type { LinkOverrides } from '@mk/monitor-proto/link/link-settings';

/** A fault rule for people: `link 3 <-> 7 delay 20 ms, loss 1 %`. */
export function describeFault(rule: FaultRule): string {
  if (rule.kind !== 'link') return describeRule(rule);
  const ends = describeRule({ ...rule, settings: {} }).trim();
  return `${ends} ${settingsText(rule.settings)}`;
}

function settingsText(settings: LinkOverrides): string {
  const shown = Object.entries(settings).filter(([name, value]) => !(name === 'burst' && value === null));
  return shown.map(([name, value]) => setting(name, value)).join(', ');
}

function setting(name: string, value: unknown): string {
  if (typeof value !== 'number')
    return `${name.replaceAll('_', ' ')} ${typeof value === 'string' ? value : JSON.stringify(value)}`;
  if (value === 0 && Object.hasOwn(WITHOUT, name)) return WITHOUT[name] ?? '';
  if (name.endsWith('_ns')) return `${name.slice(0, -3).replaceAll('_', ' ')} ${formatDuration(value)}`;
  if (RATIOS.has(name)) return `${name} ${Number((value * 100).toPrecision(4))} %`;
  if (name === 'rate_bytes_per_second') return `rate ${value} bytes/s`;
  return `${name.replaceAll('_', ' ')} ${value}`;
}

/** What a setting of 0 takes away. */
const WITHOUT: Readonly<Record<string, string>> = {
  rate_bytes_per_second: 'at any rate',
  limit: 'no limit',
  reset_after_ns: 'no resets by age',
  reset_after_frames: 'no resets by frames',
};
const RATIOS = new Set(['loss', 'duplicate', 'reorder', 'correlation', 'reset_opening']);

/** A fault in words, with its duration. */
export function describeAction(action: FaultAction): string {
  const forNs = action.type === 'rule' ? action.rule.for_ns : 'forNs' in action ? action.forNs : null;
  return `${withoutTime(action)}${forNs === null ? '' : ` for ${formatDuration(forNs)}`}`;
}

function withoutTime(action: FaultAction): string {
  if (action.type === 'rule') return describeFault(action.rule);
  if (action.type === 'heal') return `heal ${action.target === 'all' ? 'all' : JSON.stringify(action.target)}`;
  if (action.type === 'skb_loss') return 'the SKB is lost';
  const how =
    action.type === 'slow' ? ` ${action.factor} times` : action.type === 'rogue' ? ` (${action.behaviour})` : '';
  return `${action.type} ${formatCores(action.cores)}${how}`;
}
