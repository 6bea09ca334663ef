import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { borderLimit } from '../../src/dispatcher/limits.ts';
import { BorderError, PlainReader, type PlainValue, PlainWriter } from '../../src/dispatcher/plain-value.ts';
import {
  type Call,
  decodeResult,
  decodeResumption,
  decodeTurn,
  encodeResult,
  encodeResumption,
  encodeTurn,
  TURN_BYTES_MOST,
  type Upcall,
} from '../../src/dispatcher/protocol.ts';

const writer = (): PlainWriter => new PlainWriter(1 << 20);
const noRefusal = (_call: unknown, reason: string): never => {
  throw new Error(reason);
};

const plain = fc.letrec<{ value: PlainValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

describe('what crosses the border', () => {
  test('every plain value comes out as it went in (BD1)', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const out = writer();
        out.write(value);
        const reader = new PlainReader(out.written());
        expect(reader.read()).toEqual(value);
        expect(reader.done).toBe(true);
      }),
    );
  });

  test('any bytes are decoded or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of [decodeTurn, decodeResumption, decodeResult]) {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(BorderError);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('what is not a plain value is refused with its kind', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const value of [() => 0, Symbol('s'), 10n, NaN, Infinity, cycle])
      expect(() => writer().write(value as PlainValue)).toThrow(BorderError);
    expect(() => new PlainWriter(100).write('x'.repeat(300))).toThrow('larger than 100 bytes');
  });

  test('a record’s prototype cannot be set from outside', () => {
    expect(() => writer().write(JSON.parse('{"__proto__": 1}') as PlainValue)).toThrow(BorderError);
  });
});

describe('batches', () => {
  test('a call that cannot cross has its dispatcher resumed, though nothing else waits: its caller hears of it', () => {
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    for (const argument of [NaN, cyclic, 10n, 'x'.repeat(1e6)]) {
      const refused: unknown[] = [];
      const call = [1, 'span_send', [0, argument]];
      const { calls, more } = decodeTurn(
        encodeTurn(writer(), [call], false, 0, (dropped, reason) => void refused.push(dropped, reason)),
      );
      expect({ calls, more, refused: refused[0] }).toEqual({ calls: [], more: true, refused: call });
    }
  });

  const upcalls: readonly Upcall[] = [
    {
      type: 'run',
      domain: '3.1.7',
      core: 3,
      dispatcher: 2,
      program: 'hello',
      part: 'main',
      cores: [3],
      args: ['--rounds', '10'],
      environment: { NAME: 'wörld' },
      capabilities: [1, 256],
    },
    { type: 'reply', call: 4, error: '', text: '', value: { core: 1 } },
    { type: 'message', channel: 9, words: [1.5, -2], data: new Uint8Array([1, 2, 3]), capabilities: [] },
    { type: 'interrupt' },
  ];

  test('a resumption comes out as it went in', () => {
    const bytes = encodeResumption(writer(), { now: 123_456_789_012, until: 123_456_869_012, upcalls });
    expect(decodeResumption(bytes)).toEqual({ now: 123_456_789_012, until: 123_456_869_012, upcalls });
  });

  test('a field of another kind is refused', () => {
    const bytes = encodeResumption(writer(), {
      now: 0,
      until: 0,
      upcalls: [{ type: 'timer', timer: 'soon' } as unknown as Upcall],
    });
    expect(() => decodeResumption(bytes)).toThrow('timer: timer is not a valid whole');
  });

  test('a turn takes the calls that fit; the others stay, in order (BD2)', () => {
    const calls = Array.from({ length: 1000 }, (_, i): Call => [i + 1, 'nop', []]);
    const outgoing = [...calls];
    const got: Call[] = [];
    for (let more = true; more;) {
      const turn = decodeTurn(encodeTurn(writer(), outgoing, false, 7, noRefusal));
      expect(turn.calls.length).toBeLessThanOrEqual(borderLimit('callsPerTurn'));
      expect(turn.workNs).toBe(7);
      got.push(...turn.calls);
      ({ more } = turn);
    }
    expect(got).toEqual(calls);
  });

  test('large calls are spread over turns, and one that is too large for any is refused, as is garbage', () => {
    const large = new Uint8Array(borderLimit('turnBytes') - 100);
    const tooLarge = [2, 'send', [new Uint8Array(borderLimit('turnBytes') + 1)]];
    const unreadable = [4, 'send', [() => 0]];
    const garbage = [null, undefined, 7, 'text', [5], [-1, 'nop', []]];
    const outgoing: unknown[] = [[1, 'send', [large]], tooLarge, [3, 'send', [large]], unreadable, ...garbage];
    const refused: unknown[] = [];
    const sent: number[] = [];
    for (let more = true; more;) {
      const bytes = encodeTurn(writer(), outgoing, false, 0, (call) => void refused.push(call));
      expect(bytes.length).toBeLessThanOrEqual(TURN_BYTES_MOST);
      const turn = decodeTurn(bytes);
      sent.push(...turn.calls.map(([id]) => id));
      ({ more } = turn);
    }
    expect(sent).toEqual([1, 3]);
    expect(refused).toEqual([tooLarge, unreadable, ...garbage]);
  });

  test('answers of both kinds', () => {
    for (const result of [
      { ok: true, value: [1, 'two'] },
      { ok: false, error: 'BUSY', text: 'later' },
    ] as const)
      expect(decodeResult(encodeResult(writer(), result))).toEqual(result);
  });
});
