/*
 * The peers that a fault rule selects: one answer for the command line, the supervisor, the processes and the
 * simulator.
 */
import { isCore, type PeerId, SKB_PEER } from '../ids.ts';
import type { FaultRule, PartitionRule, PeerSelector } from './fault-rule.ts';

/** Whether the rule concerns frames from → to. Constant time in the number of cores for `all` and `rest`. */
export function ruleConcerns(rule: FaultRule, from: PeerId, to: PeerId): boolean {
  if (from === to) return false;
  switch (rule.kind) {
    case 'link': {
      if (selects(rule.from, from) && selects(rule.to, to)) return true;
      return rule.both && selects(rule.from, to) && selects(rule.to, from);
    }
    case 'partition':
      return crosses(rule, from, to);
    case 'isolate':
      return isolates(rule.cores, from, to) || isolates(rule.cores, to, from);
  }
}

/** Whether the rule can concern frames that this peer sends: only such peers need to hear of it. */
export function concernsSender(rule: FaultRule, peer: PeerId): boolean {
  switch (rule.kind) {
    case 'link':
      return selects(rule.from, peer) || (rule.both && selects(rule.to, peer));
    case 'partition':
      return groupOf(rule, peer) >= 0 && (!rule.one_way || groupOf(rule, peer) === 0);
    case 'isolate':
      return isCore(peer) || rule.cores.includes(peer);
  }
}

/** The peers that a rule lists. */
export function peersOfRule(rule: FaultRule): readonly PeerId[] {
  if (rule.kind === 'isolate') return rule.cores;
  if (rule.kind === 'partition') return rule.groups.flatMap((group) => (group === 'rest' ? [] : group));
  return [rule.from, rule.to].flatMap((side) => (side === 'all' ? [] : side));
}

/** Whether the rule concerns the link between these two and no other. */
export function isExactlyPair(rule: FaultRule, a: PeerId, b: PeerId): boolean {
  if (rule.kind !== 'link' || rule.from === 'all' || rule.to === 'all') return false;
  if (rule.from.length !== 1 || rule.to.length !== 1) return false;
  return (rule.from[0] === a && rule.to[0] === b) || (rule.from[0] === b && rule.to[0] === a);
}

function selects(selector: PeerSelector, peer: PeerId): boolean {
  return selector === 'all' ? isCore(peer) : selector.includes(peer);
}

/** A listed core is cut off from the other cores, a listed SKB from all cores. */
function isolates(listed: readonly PeerId[], peer: PeerId, other: PeerId): boolean {
  return listed.includes(peer) && isCore(other) && (isCore(peer) || peer === SKB_PEER);
}

function crosses(rule: PartitionRule, from: PeerId, to: PeerId): boolean {
  const fromGroup = groupOf(rule, from);
  const toGroup = groupOf(rule, to);
  if (fromGroup < 0 || toGroup < 0 || fromGroup === toGroup) return false;
  return !rule.one_way || (fromGroup === 0 && toGroup > 0);
}

/** The index of the group that holds the peer; −1: none does. */
function groupOf(rule: PartitionRule, peer: PeerId): number {
  const listed = rule.groups.findIndex((group) => group !== 'rest' && group.includes(peer));
  return listed >= 0 || !isCore(peer) ? listed : rule.groups.indexOf('rest');
}
