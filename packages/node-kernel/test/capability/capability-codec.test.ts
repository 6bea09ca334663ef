import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeCapability, encodeCapability, isMalformed } from '@mk/node-kernel/capability/model/capability-codec';
import { makeCapability, withRights } from '@mk/node-kernel/capability/model/capability';
import { CAPABILITY_TYPE_NAMES, typeRow } from '@mk/node-kernel/capability/model/types';

describe('the wire form of a capability', () => {
  test('comes back as it went, for every type', () => {
    for (const type of CAPABILITY_TYPE_NAMES) {
      const row = typeRow(type);
      const size = row.size.kind === 'none' ? 0 : row.size.bytes;
      const capability = makeCapability(
        type,
        row.addressed ? 2 ** 45 : 0,
        size,
        row.fields.map((_, i) => i + 7),
      );
      expect(decodeCapability(encodeCapability(capability))).toEqual(capability);
      expect(decodeCapability(encodeCapability(withRights(capability, 0)))).toEqual(withRights(capability, 0));
    }
  });

  test.each([
    ['a string', 'Frame'],
    ['null', null],
    ['too short', [4, 0, 0]],
    ['an unknown ordinal', [999, 0, 0, 4096]],
    ['rights above the mask', [4, 32, 0, 4096]],
    ['rights that the type cannot carry', [24, 4, 0, 0, 1, 1]],
    ['a size against the rule', [4, 0, 0, 4097]],
    ['an address out of line', [4, 0, 5, 4096]],
    ['an address for a token', [22, 0, 4096, 0]],
    ['an address too high', [4, 0, 2 ** 46, 4096]],
    ['a fraction', [2, 0, 0.5, 4096]],
    ['a negative number', [2, 0, -4096, 4096]],
    ['too many fields', [4, 0, 0, 4096, 1]],
    ['too few fields', [24, 0, 0, 0, 1]],
    ['something inherited', [4, 0, 0, { valueOf: (): number => 4096 }]],
  ])('refuses %s', (_, wire) => {
    expect(isMalformed(decodeCapability(wire))).toBe(true);
  });

  test('never throws and never accepts what does not encode to the same', () => {
    const number = fc.oneof(fc.nat(40), fc.constantFrom(0, 4096, 16384, 1024), fc.anything());
    fc.assert(
      fc.property(fc.oneof(fc.array(number), fc.anything()), (wire) => {
        const decoded = decodeCapability(wire);
        if (isMalformed(decoded)) return;
        expect(encodeCapability(decoded)).toEqual(wire);
      }),
      { numRuns: 20_000 },
    );
  });
});
