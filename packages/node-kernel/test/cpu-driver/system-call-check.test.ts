import { expect, test } from '@jest/globals';
import { checkSystemCall } from '../../src/cpu-driver/system-call-check.ts';

const SLOT = { address: 3 };

test.each([
  ['allocate', [{ bytes: -1 }], 'allocate: bytes is not a whole number of 0 or more: -1'],
  ['allocate', [{ bytes: '4096' }], 'allocate: bytes is not a whole number of 0 or more: "4096"'],
  ['allocate', [{ bytes: 1, colour: 2 }], 'allocate: there is no request.colour'],
  ['allocate', [5], 'allocate: request is not a record: 5'],
  ['allocate', [], 'allocate: request is not a record: undefined'],
  ['vspace_lookup', [1.5], 'vspace_lookup: address is not a whole number of 0 or more: 1.5'],
  ['vspace_lookup', [1, 2], 'vspace_lookup: takes 1 arguments, not 2'],
  ['invoke', [{ operation: 'protec' }], 'invoke: there is no operation "protec"'],
  [
    'invoke',
    [{ operation: 'mint', source: SLOT, destination: SLOT, rights: -1 }],
    'invoke: the rights of mint is not a whole number of 0 or more: -1',
  ],
  [
    'invoke',
    [{ operation: 'copy', source: { address: 'x' }, destination: SLOT }],
    'invoke: the source of copy is not an address of a capability: "x"',
  ],
  ['invoke', [{ operation: 'delete', target: SLOT, now: 1 }], 'invoke: delete takes no "now"'],
  ['fly', [], 'there is no system call "fly"'],
])('%s %j is refused with the reason', (name, args, why) => {
  expect(checkSystemCall({ name, args })).toBe(why);
});

test.each([
  ['nop', [], {}],
  ['allocate', [{ bytes: 0 }], { request: { bytes: 0 } }],
  ['print', ['x'], { text: 'x', stream: undefined }],
  ['invoke', [{ operation: 'delete', target: SLOT }], { invocation: { operation: 'delete', target: SLOT } }],
])('%s %j is taken', (name, args, checked) => {
  expect(checkSystemCall({ name, args })).toEqual({ name, args: checked });
});
