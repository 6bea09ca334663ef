import { expect, test } from '@jest/globals';
import { CAPABILITY_TYPE_NAMES } from '@mk/libmk/capabilities/type-names';
import { RIGHTS } from '@mk/libmk/capabilities/capabilities';
import { CAPABILITY_TYPES } from '@mk/node-kernel/capability/model/types';
import { RIGHTS as KERNEL_RIGHTS } from '@mk/node-kernel/capability/model/rights';

test('programs call capability types and rights by the kernel’s numbers', () => {
  const names = Object.entries(CAPABILITY_TYPES)
    .sort(([, a], [, b]) => a.ordinal - b.ordinal)
    .map(([name]) => name);
  expect(CAPABILITY_TYPE_NAMES).toEqual(names);
  expect(RIGHTS).toEqual(KERNEL_RIGHTS);
});
