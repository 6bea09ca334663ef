import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codecOf, decodeMessage, encodeMessage } from '@mk/monitor-proto/messages/codec';
import { FIELD_KINDS, type FieldKind } from '@mk/monitor-proto/messages/fields';
import { LANES, type MessageSpec } from '@mk/monitor-proto/messages/spec';
import { type Message, MESSAGES, RETIRED_ORDINALS } from '@mk/monitor-proto/messages/table';
import { decodeFrame, encodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { type DataFrame, FRAME } from '@mk/monitor-proto/urpc/frames';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const text = fc.string({ maxLength: 40 });
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (Object.is(x, -0) ? 0 : x));
const leaf = fc.tuple(u32, fc.constant([] as never[]));
const route = fc.tuple(u32, fc.array(fc.tuple(u32, fc.array(leaf, { maxLength: 3 })), { maxLength: 3 }));
const VALUES: { readonly [K in FieldKind]: fc.Arbitrary<unknown> } = {
  u32,
  int: fc.maxSafeInteger(),
  float: finite,
  bool: fc.boolean(),
  str: text,
  bytes: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  u32s: fc.array(u32, { maxLength: 6 }),
  floats: fc.array(finite, { maxLength: 6 }),
  strs: fc.array(text, { maxLength: 6 }),
  monitors: fc.array(fc.tuple(u32, u32, text, text), { maxLength: 4 }),
  route: fc.array(route, { maxLength: 3 }),
  answers: fc.array(fc.tuple(u32, u32), { maxLength: 4 }),
  cap: fc.array(fc.oneof(text, fc.maxSafeInteger()), { maxLength: 5 }),
  caps: fc.array(fc.array(fc.oneof(text, fc.maxSafeInteger()), { maxLength: 5 }), { maxLength: 3 }),
};
const specs = Object.entries(MESSAGES) as [Message['type'], MessageSpec][];
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  ...specs.map(([type, spec]) =>
    fc
      .record(Object.fromEntries(Object.entries(spec.fields).map(([name, kind]) => [name, VALUES[kind]])))
      .map((fields) => ({ type, ...fields }) as Message),
  ),
);

describe('the message table', () => {
  it('gives each message an ordinal of its own, a lane, a doc and known kinds of field', () => {
    expect(new Set(specs.map(([, spec]) => spec.ordinal)).size).toBe(specs.length);
    for (const ordinal of RETIRED_ORDINALS.keys())
      expect(decodeMessage([ordinal, 0])).toBe(`no message has ordinal ${ordinal}`);
    for (const [, spec] of specs) {
      expect(LANES).toContain(spec.lane);
      expect(spec.doc.length).toBeGreaterThan(10);
      for (const kind of Object.values(spec.fields)) expect(Object.keys(FIELD_KINDS)).toContain(kind);
    }
  });
});

describe('the codec', () => {
  it('brings every message back as it was, through a real frame', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 5 }), (messages) => {
        const frame: DataFrame = {
          kind: FRAME.data,
          lamport: 7,
          acks: [1, 2, 3],
          missing: [0, 0, 0],
          batches: [{ lane: 1, first: 9, messages: messages.map(encodeMessage) }],
        };
        const back = decodeFrame(encodeFrame(frame));
        if (typeof back === 'string' || back.kind !== FRAME.data)
          throw new Error(`not a data frame: ${JSON.stringify(back)}`);
        expect({
          lamport: back.lamport,
          acks: back.acks,
          missing: back.missing,
          first: back.batches[0]!.first,
        }).toEqual({ lamport: 7, acks: [1, 2, 3], missing: [0, 0, 0], first: 9 });
        expect(back.batches[0]!.messages.map(decodeMessage)).toEqual(messages);
      }),
      { numRuns: 400 },
    );
  });

  it('estimates the size of a message within a factor of two below and a constant above', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const frame: DataFrame = {
          kind: FRAME.data,
          lamport: 0,
          acks: [0, 0, 0],
          missing: [0, 0, 0],
          batches: [{ lane: 0, first: 1, messages: [encodeMessage(message)] }],
        };
        expect(2 * codecOf(message.type).bytes(message) + 32).toBeGreaterThanOrEqual(encodeFrame(frame).length);
      }),
    );
  });

  it('refuses a field of the wrong kind and names it', () => {
    for (const [type, spec] of specs) {
      const names = Object.keys(spec.fields);
      for (const [i, name] of names.entries()) {
        const good = fc.sample(fc.tuple(...names.map((n) => VALUES[spec.fields[n]!])), 1)[0] as unknown[];
        for (const bad of [null, undefined, {}, Number.NaN, new Date(), -1.5]) {
          if (spec.fields[name] === 'float' && bad === -1.5) continue;
          const wire = [spec.ordinal, ...good];
          wire[i + 1] = bad;
          expect(decodeMessage(wire)).toMatch(`${type}.${name} is not`);
        }
      }
    }
  });

  it('refuses a wrong number of fields and an unknown ordinal', () => {
    expect(decodeMessage([MESSAGES.flood_end.ordinal])).toMatch('flood_end has 0 fields, not 2');
    expect(decodeMessage([9999])).toMatch('no message has ordinal 9999');
    expect(decodeMessage(['x'])).toMatch('no message has ordinal x');
    expect(decodeMessage(17)).toMatch('not an array');
  });
});
