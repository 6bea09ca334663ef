/** C1, agreement of local copies, and conservative relation bits. See `audit.ts`. */
import { known } from '@mk/monitor-proto/assert';
import type { AuditEntry, CoreSnapshot, Violation } from './audit-snapshot.ts';
import { decode } from './audit-snapshot.ts';
import { compareWithinTree, describeCapability, identityOf, isAncestor } from '../model/capability.ts';
import type { Capability } from '../model/capability.ts';
import { REMOTE } from '../store/copy-group.ts';
import { mappingTypeOf } from '../model/type-rules.ts';
import { typeRow } from '../model/types.ts';

export function auditOwners(entries: readonly AuditEntry[], snapshots: readonly CoreSnapshot[]): Violation[] {
  const flying = new Set(snapshots.flatMap(({ inFlight }) => inFlight.map((wire) => identityOf(decode(wire)))));
  return [...grouped(entries).values()].flatMap((copies) => [
    ...disagreements(copies),
    ...(flying.has(known(copies[0]).identity) ? [] : ownerProblems(copies)),
  ]);
}

function ownerProblems(copies: readonly AuditEntry[]): Violation[] {
  const live = copies.filter((copy) => !copy.inDelete);
  const [first] = live;
  if (first === undefined || !typeRow(first.capability.type).needsLocality) return [];
  if (copies.some((copy) => copy.locked)) return [];
  const owners = distinct(live.map((copy) => copy.owner));
  const about = { ...aboutOf(first.capability), cores: distinct(live.map((copy) => copy.core)), owners };
  if (owners.length > 1) return [{ invariant: 'C1', ...about, detail: `copies name the owners ${owners.join(', ')}` }];
  if (copies.some((copy) => copy.core === owners[0])) return [];
  return [{ invariant: 'C1', ...about, detail: `the owner, core ${owners[0]}, holds no copy` }];
}

function disagreements(copies: readonly AuditEntry[]): Violation[] {
  const byCore = new Map<number, AuditEntry>();
  const problems: Violation[] = [];
  for (const copy of copies) {
    const first = byCore.get(copy.core) ?? copy;
    byCore.set(copy.core, first);
    if (first.owner === copy.owner && first.locked === copy.locked && first.relations === copy.relations) continue;
    problems.push({
      invariant: 'copies',
      ...aboutOf(copy.capability),
      cores: [copy.core],
      detail: `slots ${first.slot} and ${copy.slot} differ in owner, lock or relations`,
    });
  }
  return problems;
}

/** If a relative exists on another core, the unlocked owner's bit must say so. */
export function auditRelations(entries: readonly AuditEntry[]): Violation[] {
  const live = entries.filter((entry) => !entry.inDelete && typeRow(entry.capability.type).needsLocality);
  const firsts = [...grouped(live).values()].map((copies) => ({
    entry: copies.find((copy) => copy.core === copy.owner && !copy.locked),
    capability: known(copies[0]).capability,
    cores: new Set(copies.map((copy) => copy.core)),
  }));
  const problems: Violation[] = [];
  const demand = (holder: (typeof firsts)[number], bit: number, cores: Set<number>, kind: string): void => {
    const owner = holder.entry;
    const others = [...cores].filter((core) => core !== owner?.core);
    if (owner === undefined || others.length === 0 || (owner.relations & bit) !== 0) return;
    problems.push({
      invariant: 'relations',
      ...aboutOf(owner.capability),
      cores: [owner.core, ...others],
      owners: [owner.core],
      detail: `the owner does not know of a ${kind} on another core`,
    });
  };
  firsts.sort((a, b) => compareWithinTree(a.capability, b.capability));
  const above: typeof firsts = [];
  for (const holder of firsts) {
    demand(holder, REMOTE.copies, holder.cores, 'copy');
    while (above.length > 0 && end(known(above[above.length - 1])) <= holder.capability.address) above.pop();
    for (const outer of above) {
      if (!isAncestor(outer.capability, holder.capability)) continue;
      // A mapping lives with the copy that it was made through: knowing of that copy is enough.
      const bits = mappingTypeOf(outer.capability.type) === holder.capability.type ? ANY_BELOW : REMOTE.descendants;
      demand(outer, bits, holder.cores, `descendant (${describeCapability(holder.capability)})`);
      demand(holder, REMOTE.ancestors, outer.cores, `ancestor (${describeCapability(outer.capability)})`);
    }
    above.push(holder);
  }
  return problems;
}

const ANY_BELOW = REMOTE.descendants | REMOTE.copies;

function aboutOf(capability: Capability): Pick<Violation, 'what' | 'range'> {
  const { address, size } = capability;
  return { what: describeCapability(capability), ...(size > 0 ? { range: { address, size } } : {}) };
}

function end({ capability }: { readonly capability: AuditEntry['capability'] }): number {
  return capability.address + capability.size;
}

function grouped(entries: readonly AuditEntry[]): Map<string, AuditEntry[]> {
  const groups = new Map<string, AuditEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.identity);
    if (group === undefined) groups.set(entry.identity, [entry]);
    else group.push(entry);
  }
  return groups;
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
