import { isKeyOf } from '../tables.ts';
import { isWhole, isListOf, isRecord } from '../guards.ts';
import { isCore, type Nanos, type PeerId, peerName, SKB_PEER } from '../ids.ts';
import { checkLinkOverrides } from './link-settings.ts';
import type { LinkOverrides } from './link-settings.ts';

/** The peers that a rule concerns: every core, or a list. The SKB only if its id (SKB_PEER) is listed. */
export type PeerSelector = 'all' | readonly PeerId[];
/** One side of a partition; `rest` is every core that no other side lists. */
export type PartitionGroup = 'rest' | readonly PeerId[];

interface RuleBase {
  /** Names the rule for `heal`; a new rule of the same id replaces the old one. */
  readonly id: string;
  /** How long the rule holds from the moment it is added; null: until healed. */
  readonly for_ns: Nanos | null;
}

/** Changes the settings of every directed pair from → to (and to → from when `both`). */
export interface LinkRule extends RuleBase {
  readonly kind: 'link';
  readonly from: PeerSelector;
  readonly to: PeerSelector;
  readonly both: boolean;
  readonly settings: LinkOverrides;
}

/** Cuts frames that cross between groups: both ways, or (`one_way`) only those that the first group sends. */
export interface PartitionRule extends RuleBase {
  readonly kind: 'partition';
  readonly groups: readonly PartitionGroup[];
  readonly one_way: boolean;
}

/** Cuts each of these cores off from every other core, both ways; a listed SKB is cut off from every core. */
interface IsolateRule extends RuleBase {
  readonly kind: 'isolate';
  readonly cores: readonly PeerId[];
}

/** A fault of the network: plain JSON, the same over the control port, in a plan and in the simulator. */
export type FaultRule = LinkRule | PartitionRule | IsolateRule;

/** Checks a rule from outside; returns it, or one line that says what is wrong. */
export function checkFaultRule(value: unknown): FaultRule | string {
  if (!isRecord(value)) return 'a fault rule must be an object';
  const kind = value['kind'];
  // Not by String(kind): ["link"] would be taken for a rule that nobody else takes for one.
  if (typeof kind !== 'string' || !isKeyOf(RULE_CHECKS, kind)) {
    const given = typeof kind === 'string' ? kind.slice(0, 40) : '(no text)';
    return `unknown kind of fault rule ${given}; known: ${Object.keys(RULE_CHECKS).join(', ')}`;
  }
  const check = RULE_CHECKS[kind];
  const error = checkBase(value) ?? checkKeys(value, check.keys) ?? check.check(value);
  return error === null ? (value as unknown as FaultRule) : `${kind} rule: ${error}`;
}

/** Describes the rule for people: `3 -> 7 delay 20 ms`. */
export function describeRule(rule: FaultRule): string {
  if (rule.kind === 'isolate') return `isolate ${peersText(rule.cores)}`;
  if (rule.kind === 'partition') {
    const sides = rule.groups.map((group) => (group === 'rest' ? 'rest' : peersText(group)));
    return `partition ${sides.join(rule.one_way ? ' -x-> ' : ' | ')}`;
  }
  const settings = Object.entries(rule.settings).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `link ${selectorText(rule.from)} ${rule.both ? '<->' : '->'} ${selectorText(rule.to)} ${settings.join(' ')}`;
}

interface RuleCheck {
  readonly keys: readonly string[];
  readonly check: (rule: Readonly<Record<string, unknown>>) => string | null;
}

const BASE_KEYS = ['kind', 'id', 'for_ns'];

const RULE_CHECKS: { readonly [K in FaultRule['kind']]: RuleCheck } = {
  link: { keys: ['from', 'to', 'both', 'settings'], check: checkLink },
  partition: { keys: ['groups', 'one_way'], check: checkPartition },
  isolate: { keys: ['cores'], check: ({ cores }) => (isPeers(cores) ? null : badPeers('cores')) },
};

function checkBase(rule: Readonly<Record<string, unknown>>): string | null {
  const { id, for_ns: forNs } = rule;
  if (typeof id !== 'string' || id === '' || id.length > 100) return 'id must be a text of 1 to 100 characters';
  return forNs === null || isWhole(forNs, 1) ? null : 'for_ns must be null or a whole number above 0';
}

function checkKeys(rule: Readonly<Record<string, unknown>>, keys: readonly string[]): string | null {
  for (const key of Object.keys(rule)) {
    if (!BASE_KEYS.includes(key) && !keys.includes(key)) {
      return `unknown key ${key}; known: ${[...BASE_KEYS, ...keys].join(', ')}`;
    }
  }
  return null;
}

function checkLink(rule: Readonly<Record<string, unknown>>): string | null {
  const { from, to } = rule;
  if (from !== 'all' && !isPeers(from)) return badPeers('from');
  if (to !== 'all' && !isPeers(to)) return badPeers('to');
  if (typeof rule['both'] !== 'boolean') return 'both must be true or false';
  if (from !== 'all' && to !== 'all' && new Set([...from, ...to]).size === 1)
    return `nobody has a link to itself; name two different cores, not ${peersText(from)} twice`;
  return checkLinkOverrides(rule['settings']);
}

function checkPartition(rule: Readonly<Record<string, unknown>>): string | null {
  const groups = rule['groups'];
  if (!Array.isArray(groups) || groups.length < 2) return 'groups must list two or more groups';
  if (groups.filter((group) => group === 'rest').length > 1) return 'only one group may be rest';
  const seen = new Set<unknown>();
  for (const [i, group] of groups.entries()) {
    if (group === 'rest') continue;
    if (!isPeers(group)) return badPeers(`groups[${i}]`);
    for (const peer of group) {
      if (seen.has(peer)) return `${peer === SKB_PEER ? 'the SKB' : `core ${peer}`} is in two groups`;
      seen.add(peer);
    }
  }
  return typeof rule['one_way'] === 'boolean' ? null : 'one_way must be true or false';
}

function isPeers(value: unknown): value is readonly PeerId[] {
  return isListOf(value, isPeer) && value.length > 0;
}

function badPeers(name: string): string {
  return `${name} must be a list of core numbers (65535: the SKB) that is not empty`;
}

function isPeer(value: unknown): value is PeerId {
  return isWhole(value) && (isCore(value) || value === SKB_PEER);
}

function selectorText(selector: PeerSelector): string {
  return selector === 'all' ? 'all' : peersText(selector);
}

function peersText(peers: readonly PeerId[]): string {
  return peers.map(peerName).join(',');
}
