/** The simple model of the mapping database: an array, sorted and searched in full each time. */
import { compareCapabilities, isAncestor, isCopy, overlaps } from '@mk/node-kernel/capability/model/capability';
import type { Capability, Range } from '@mk/node-kernel/capability/model/capability';
import type { RangeRelation } from '@mk/node-kernel/capability/store/mapping-database';
import { typeTreeRoot } from '@mk/node-kernel/capability/model/type-rules';

export interface NaiveEntry {
  readonly slot: number;
  readonly capability: Capability;
}

export class NaiveDatabase {
  entries: NaiveEntry[] = [];

  insert(slot: number, capability: Capability): void {
    this.entries.push({ slot, capability });
    this.entries.sort((a, b) => compareCapabilities(a.capability, b.capability) || a.slot - b.slot);
  }

  remove(slot: number): void {
    this.entries = this.entries.filter((entry) => entry.slot !== slot);
  }

  copies(of: Capability): number[] {
    return this.entries.filter((entry) => isCopy(entry.capability, of)).map((entry) => entry.slot);
  }

  ancestors(of: Capability): number[] {
    return this.slotsWhere((capability) => isAncestor(capability, of));
  }

  descendants(of: Capability): number[] {
    return this.slotsWhere((capability) => isAncestor(of, capability));
  }

  overlapping(range: Range): number[] {
    return this.slotsWhere((capability) => typeTreeRoot(capability.type) === 'PhysAddr' && overlaps(capability, range));
  }

  relation(range: Range): RangeRelation {
    const end = range.address + range.size;
    let worst: RangeRelation = 'none';
    for (const { capability: c } of this.entries) {
      if (typeTreeRoot(c.type) !== 'PhysAddr' || !overlaps(c, range)) continue;
      const surrounds = c.address <= range.address && c.address + c.size >= end;
      const inside = c.address >= range.address && c.address + c.size <= end;
      if (!surrounds && !inside) return 'partial';
      if (!surrounds) worst = 'inner';
      else if (worst === 'none') worst = 'surrounding';
    }
    return worst;
  }

  private slotsWhere(test: (capability: Capability) => boolean): number[] {
    return this.entries.filter((entry) => test(entry.capability)).map((entry) => entry.slot);
  }
}
