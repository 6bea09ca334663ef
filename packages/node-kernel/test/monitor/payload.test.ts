import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import { coreSetOf, isSubset } from '@mk/node-kernel/monitor/agreement/core-set';
import { decodeEnvelope, encodeEnvelope } from '@mk/node-kernel/monitor/agreement/envelope';
import { CAPABILITY_PAYLOAD } from '@mk/node-kernel/monitor/capops/payload';

const cores = fc.uniqueArray(fc.nat(2000), { maxLength: 80 });
const payload = {
  members: coreSetOf([0, 31, 32, 1023]),
  round: 7,
  oldest: 5,
  capability: makeCapability('RAM', 8192, 4096),
  rest: [1, 2 ** 45],
};

type Payload = typeof payload;

/** A payload about a capability in its envelope, as it is sent. */
function encodePayload({ members, round, oldest, capability, rest }: Payload): Uint8Array {
  return encodeEnvelope({ members, round, oldest, seals: [], body: CAPABILITY_PAYLOAD.encode({ capability, rest }) });
}

function decodePayload(bytes: Uint8Array) {
  const envelope = decodeEnvelope(bytes);
  const given = envelope && CAPABILITY_PAYLOAD.decode(envelope.body);
  if (envelope === null || given === null) return null;
  const { members, round, oldest } = envelope;
  return { members, round, oldest, ...given };
}

describe('sets of cores', () => {
  test('one is part of another exactly when each of its cores is', () => {
    fc.assert(
      fc.property(cores, cores, (part, more) => {
        const whole = [...part.filter((core) => core % 7 !== 0), ...more];
        return isSubset(coreSetOf(part), coreSetOf(whole)) === part.every((core) => whole.includes(core));
      }),
    );
  });

  test('the order of the cores makes no difference, nor does naming one twice', () => {
    fc.assert(fc.property(cores, (list) => expect(coreSetOf([...list, ...list].reverse())).toEqual(coreSetOf(list))));
  });

  test('32 cores are one word', () => {
    expect(coreSetOf(Array.from({ length: 32 }, (_, core) => core))).toEqual([2 ** 32 - 1]);
  });
});

describe("a round's payload about a capability", () => {
  test('comes back as it went', () => {
    expect(decodePayload(encodePayload(payload))).toEqual(payload);
    expect(decodePayload(encodePayload({ ...payload, members: [], rest: [] }))).toEqual({
      ...payload,
      members: [],
      rest: [],
    });
  });

  test('cut off before the end of the capability it is none', () => {
    const whole = encodePayload({ ...payload, rest: [] });
    for (let length = 0; length < whole.length; length += 1)
      expect(decodePayload(whole.subarray(0, length))).toBeNull();
  });

  test.each([
    ['a fraction', [0, 1.5, 1, 4, 2, 0, 0, 4096]],
    ['no number', [0, Number.NaN, 1, 4, 2, 0, 0, 4096]],
    ['members that are not bits', [1, -1, 1, 1, 4, 2, 0, 0, 4096]],
    ['members beyond a word', [1, 2 ** 32, 1, 1, 4, 2, 0, 0, 4096]],
    ['more members than there is room for', [2 ** 40, 1, 1, 4, 2, 0, 0, 4096]],
    ['fewer members than none', [-1, 1, 4, 2, 0, 0, 4096]],
    ['a capability longer than the rest', [0, 1, 1, 5, 2, 0, 0, 4096]],
    ['a capability of a negative length', [0, 1, 1, -1, 2, 0, 0, 4096]],
    ['a malformed capability', [0, 1, 1, 4, 999, 0, 0, 4096]],
  ])('with %s it is none', (_, numbers) => {
    expect(decodePayload(new Uint8Array(Float64Array.from(numbers).buffer))).toBeNull();
  });

  test('random bytes are refused, never thrown at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoded = decodePayload(bytes);
        return decoded === null || decoded.capability !== undefined;
      }),
    );
  });
});
