import { describe, expect, test } from '@jest/globals';
import { retypeMatrixMarkdown, typeTableMarkdown } from '@mk/node-kernel/capability/model/retype-matrix';
import {
  descendsFrom,
  mappingTypeOf,
  retypeAllowed,
  sizeAllowed,
  typeOfOrdinal,
  typeTreeRoot,
} from '@mk/node-kernel/capability/model/type-rules';
import { CAPABILITY_TYPE_NAMES, typeRow } from '@mk/node-kernel/capability/model/types';
import type { CapabilityType } from '@mk/node-kernel/capability/model/types';

/** Every legal pair, written out by hand from the specification rather than derived. */
const LEGAL: Record<string, string[]> = {
  PhysAddr: ['PhysAddr', 'RAM', 'DevFrame'],
  RAM: [
    'RAM',
    'Frame',
    'EndPointUMP',
    'L1CNode',
    'L2CNode',
    'Dispatcher',
    'KernelControlBlock',
    'VNode_L0',
    'VNode_L1',
    'VNode_L2',
    'VNode_L3',
  ],
  Frame: ['Frame'],
  DevFrame: ['DevFrame'],
  Dispatcher: ['EndPointLMP'],
  ProcessManager: ['Domain'],
  DeviceIDManager: ['DeviceID'],
  IRQSrc: ['IRQSrc'],
  IO: ['IO'],
};

describe('the type table', () => {
  test('allows exactly the legal retypes, for every pair of types', () => {
    for (const from of CAPABILITY_TYPE_NAMES) {
      for (const to of CAPABILITY_TYPE_NAMES) {
        expect([from, to, retypeAllowed(from, to)]).toEqual([from, to, LEGAL[from]?.includes(to) ?? false]);
      }
    }
  });

  test('gives each type its own ordinal, above those of its parents, so that ancestors sort first', () => {
    const ordinals = CAPABILITY_TYPE_NAMES.map((name) => typeRow(name).ordinal);
    expect(new Set(ordinals).size).toBe(ordinals.length);
    for (const name of CAPABILITY_TYPE_NAMES) {
      expect(typeOfOrdinal(typeRow(name).ordinal)).toBe(name);
      for (const parent of typeRow(name).parents) {
        expect(typeRow(parent as CapabilityType).ordinal).toBeLessThan(typeRow(name).ordinal);
      }
    }
  });

  test('knows descent over any number of edges', () => {
    expect(descendsFrom('Frame_Mapping', 'PhysAddr')).toBe(true);
    expect(descendsFrom('EndPointLMP', 'RAM')).toBe(true);
    expect(descendsFrom('RAM', 'Frame')).toBe(false);
    expect(descendsFrom('DevFrame', 'RAM')).toBe(false);
    expect(descendsFrom('RAM', 'RAM')).toBe(false);
    expect(typeTreeRoot('EndPointLMP')).toBe('PhysAddr');
    expect(typeTreeRoot('Domain')).toBe('ProcessManager');
    expect(typeTreeRoot('Kernel')).toBe('Kernel');
  });

  test('has a mapping type for each mappable type and no other', () => {
    for (const name of CAPABILITY_TYPE_NAMES) {
      expect(mappingTypeOf(name)).toBe(typeRow(name).mappable ? `${name}_Mapping` : undefined);
      if (typeRow(name).mapping) expect(typeRow(name).sendable).toBe(false);
    }
  });

  test('checks sizes', () => {
    expect(sizeAllowed('Frame', 8192)).toBe(true);
    expect(sizeAllowed('Frame', 8193)).toBe(false);
    expect(sizeAllowed('Frame', 0)).toBe(false);
    expect(sizeAllowed('L2CNode', 32768)).toBe(false);
    expect(sizeAllowed('EndPointLMP', 0)).toBe(true);
  });

  test('prints itself as markdown', () => {
    const matrix = retypeMatrixMarkdown();
    const legal = Object.values(LEGAL).flat().length;
    expect(matrix.split('✓').length - 1).toBe(legal);
    expect(matrix.split('\n').filter((line) => line.startsWith('|')).length).toBe(CAPABILITY_TYPE_NAMES.length + 1);
    expect(typeTableMarkdown()).toContain('| Frame | RAM, itself | n × 4096 B | – | moveable, one owner, mappable |');
  });
});
