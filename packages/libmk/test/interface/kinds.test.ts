import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defineInterface, event, type InputOf, message, type OutputOf, rpc } from '../../src/interface/interface.ts';
import {
  bool,
  bytes,
  cap,
  choice,
  float,
  giveAwayCap,
  i32,
  int,
  type Kind,
  list,
  optional,
  record,
  text,
  u16,
  u32,
  u8,
} from '../../src/interface/kinds.ts';
import { MessageReader, MessageWriter } from '../../src/interface/message-bytes.ts';
import { isMkError } from '../../src/runtime/mk-error.ts';

function cross<T>(kind: Kind<T>, value: T): { readonly value: T; readonly bytes: Uint8Array } {
  const writer = new MessageWriter();
  kind.write(writer, value, 'x');
  const bytes = writer.take();
  const reader = new MessageReader(
    bytes,
    writer.capabilities.map(({ address }) => address),
  );
  const read = kind.read(reader, 'x');
  reader.end();
  return { value: read, bytes };
}

function expectRefused(kind: Kind<unknown>, value: unknown, says: string): void {
  try {
    kind.write(new MessageWriter(), value, 'put.value');
  } catch (error) {
    expect(isMkError(error, 'BAD_MESSAGE')).toBe(true);
    expect((error as Error).message).toContain(says);
    return;
  }
  throw new Error(`${String(value)} was taken`);
}

const everything = record({
  a: u8,
  b: u16,
  c: u32,
  d: i32,
  e: int,
  f: float,
  g: bool,
  h: text(200),
  i: bytes(50),
  j: list(record({ x: u8, y: optional(text(10)) }), 9),
  k: choice('red', 'green'),
  l: cap,
  m: optional(giveAwayCap),
});

const values = fc.record({
  a: fc.nat(255),
  b: fc.nat(65_535),
  c: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  d: fc.integer(),
  e: fc.maxSafeInteger(),
  f: fc.double({ noNaN: true, noDefaultInfinity: true }),
  g: fc.boolean(),
  h: fc.string({ unit: 'binary', maxLength: 50 }),
  i: fc.uint8Array({ maxLength: 50 }),
  j: fc.array(fc.record({ x: fc.nat(255), y: fc.option(fc.string({ maxLength: 10, unit: 'grapheme-ascii' })) }), {
    maxLength: 9,
  }),
  k: fc.constantFrom('red' as const, 'green' as const),
  l: fc.nat(1 << 20),
  m: fc.option(fc.nat(1 << 20)),
});

describe('values of an interface', () => {
  test('arrive as they were sent, whatever they are', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(cross(everything, value).value).toEqual(value);
      }),
    );
  });

  test('bytes that were damaged or cut are a value of the interface or BAD_MESSAGE, never anything else', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(255), fc.boolean(), (value, at, byte, cut) => {
        const { bytes: sent } = cross(everything, value);
        const damaged = cut ? sent.slice(0, at % sent.length) : sent.map((b, i) => (i === at % sent.length ? byte : b));
        const reader = new MessageReader(damaged, [1, 2]);
        try {
          const read = everything.read(reader, 'x');
          expect(cross(everything, read).value).toEqual(read);
        } catch (error) {
          if (!isMkError(error, 'BAD_MESSAGE')) throw error;
        }
      }),
    );
  });

  test('what is not a value of its kind is refused before it is sent, with its place', () => {
    expectRefused(u8, 256, 'put.value: 256 is not a valid u8');
    expectRefused(u8, 1.5, 'put.value: 1.5');
    expectRefused(u32, -1, '-1 is not a valid u32');
    expectRefused(i32, 2 ** 31, 'is not a valid i32');
    expectRefused(int, 2 ** 53, 'is not a valid int');
    expectRefused(float, NaN, 'NaN is not a valid float');
    expectRefused(bool, 1, '1 is not a valid bool');
    expectRefused(text(3), 'four', '“four” is not a valid text(3)');
    expectRefused(text(3), 'éé', 'is not a valid text(3)');
    expectRefused(text(3), 7, '7 is not a valid text(3)');
    expectRefused(bytes(2), new Uint8Array(3), '3 bytes is not a valid bytes(2)');
    expectRefused(bytes(2), [1], 'is not a valid bytes(2)');
    expectRefused(list(u8, 2) as Kind<unknown>, [1, 2, 3], 'a list of 3 is not a valid list(u8, 2)');
    expectRefused(list(u8, 2) as Kind<unknown>, [1, 300], 'put.value[1]: 300');
    expectRefused(choice('a', 'b') as Kind<unknown>, 'c', '“c” is not a valid choice(a|b)');
    expectRefused(record({ x: u8 }) as Kind<unknown>, { x: 1, y: 2 }, 'no field y');
    expectRefused(record({ x: u8 }) as Kind<unknown>, {}, 'put.value.x: undefined');
    expectRefused(cap, -1, 'address of a capability');
  });

  test('capabilities go beside the bytes, with whether they leave', () => {
    const writer = new MessageWriter();
    record({ a: giveAwayCap, b: cap }).write(writer, { a: 7, b: 9 }, 'x');
    expect(writer.capabilities).toEqual([
      { address: 7, giveAway: true },
      { address: 9, giveAway: false },
    ]);
    expect(writer.take().length).toBe(0);
  });

  test('a text with half a surrogate pair arrives with U+FFFD, and counts as three bytes', () => {
    expect(cross(text(4), '\ud800x').value).toBe('\ufffdx');
    expectRefused(text(3), '\ud800x', 'text(3)');
  });
});

describe('interfaces', () => {
  const Kv = defineInterface('kv', {
    get: rpc({ in: { key: text(8) }, out: { value: optional(u32) }, errors: ['LOCKED'] }),
    forget: message({ key: text(8) }),
    changed: event({ key: text(8) }),
  });

  test('have a fingerprint of what they say, not of the order', () => {
    const same = defineInterface('kv', {
      changed: event({ key: text(8) }),
      forget: message({ key: text(8) }),
      get: rpc({ in: { key: text(8) }, out: { value: optional(u32) }, errors: ['LOCKED'] }),
    });
    const wider = defineInterface('kv', { ...Kv.methods, forget: message({ key: text(9) }) });
    expect(same.fingerprint).toBe(Kv.fingerprint);
    expect(wider.fingerprint).not.toBe(Kv.fingerprint);
    expect(Kv.rows.map(({ name, number }) => [name, number])).toEqual([
      ['changed', 0],
      ['forget', 1],
      ['get', 2],
    ]);
  });

  test('infer their types', () => {
    const input: InputOf<typeof Kv.methods.get> = { key: 'a' };
    const output: OutputOf<typeof Kv.methods.get> = { value: null };
    // @ts-expect-error: a number is not a key
    const wrong: InputOf<typeof Kv.methods.forget> = { key: 1 };
    expect([input, output, wrong]).toHaveLength(3);
  });

  test('a name that cannot be a method is refused', () => {
    expect(() => defineInterface('x', { $close: message({}) })).toThrow('is not a name of a method');
    expect(() => defineInterface('x', {})).toThrow('0 methods');
  });
});
