import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  formatCores,
  formatDuration,
  parseBytes,
  parseCores,
  parseDuration,
  parsePercent,
  parseRate,
} from '../src/duration.ts';
import { editDistance, nearest, unknownWord } from '../src/nearest.ts';

function value<T>(result: { ok: true; value: T } | { ok: false; error: string }): T | string {
  return result.ok ? result.value : result.error;
}

describe('parseDuration', () => {
  test.each<[string | number, number]>([
    ['2ms', 2e6],
    ['0.2ms', 200_000],
    ['.5ms', 500_000],
    ['500us', 500_000],
    ['500µs', 500_000],
    ['3s', 3e9],
    ['100ns', 100],
    ['2m', 120e9],
    ['1h', 3600e9],
    ['1d', 86_400e9],
    ['500\u00b5s'.normalize('NFKC'), 500_000],
    [0, 0],
    ['0', 0],
    ['0ms', 0],
    [' 5 ms ', 5e6],
  ])('%s', (text, ns) => expect(value(parseDuration(text))).toBe(ns));

  test.each<[string | number, RegExp]>([
    ['1constructor', /unknown unit/],
    [5, /"5" has no unit; write 5ms/],
    ['5', /no unit/],
    ['-1ms', /not a duration/],
    ['', /not a duration/],
    ['2 parsecs', /unknown unit; known: ns/],
    ['1e3ms', /not a duration|unknown unit/],
    ['soon', /not a duration/],
    ['9999h', /too long/],
    [Number.NaN, /not a duration/],
  ])('refuses %s', (text, error) => expect(value(parseDuration(text))).toMatch(error));
});

describe('percent, bytes, rate', () => {
  test.each<[string | number, number]>([
    ['1%', 0.01],
    ['0.5%', 0.005],
    ['100%', 1],
    [0, 0],
    ['0', 0],
  ])('%s', (text, ratio) => expect(value(parsePercent(text))).toBe(ratio));
  test.each<[string | number, RegExp]>([
    [0.01, /has no %/],
    ['101%', /more than 100/],
    ['x', /not a percentage/],
  ])('refuses %s', (text, error) => expect(value(parsePercent(text))).toMatch(error));
  test('bytes and rates', () => {
    expect(['64KiB', '8GiB', '1.5MB', 12].map((text) => value(parseBytes(text)))).toEqual([65536, 2 ** 33, 1.5e6, 12]);
    expect(value(parseBytes('5 pounds'))).toMatch(/not a size/);
    expect(['125kB/s', '1MB', 9].map((text) => value(parseRate(text)))).toEqual([125_000, 1e6, 9]);
    expect(value(parseRate('fast/s'))).toMatch(/not a rate/);
  });
});

describe('cores', () => {
  test('lists and ranges', () => {
    expect(value(parseCores('0,3-7'))).toEqual([0, 3, 4, 5, 6, 7]);
    expect(value(parseCores(5))).toEqual([5]);
    expect(value(parseCores([2, 1, 2]))).toEqual([2, 1]);
  });
  test.each([
    ['7-3', /backwards; write 3-7/],
    ['a', /"a" is not a core/],
    ['', /not a core/],
    ['70000', /highest/],
  ])('refuses %s', (text, error) => expect(value(parseCores(text))).toMatch(error));
  test('formatCores and parseCores undo one another', () => {
    expect(formatCores([7, 0, 3, 4, 5, 6, 9, 10])).toBe('0,3-7,9,10');
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300), { minLength: 1 }), (cores) => {
        expect(value(parseCores(formatCores(cores)))).toEqual([...cores].sort((a, b) => a - b));
      }),
    );
  });
});

test('formatDuration', () => {
  const times = [0, 340, 999, 999.7, 1500, 2_000_000, 1_250_000_000, 65e9, -2e6];
  const texts = ['0 ns', '340 ns', '999 ns', '1 µs', '1.5 µs', '2 ms', '1.25 s', '65 s', '-2 ms'];
  expect(times.map(formatDuration)).toEqual(texts);
});

describe('nearest', () => {
  test('counts edits', () => {
    const pairs = [
      ['kitten', 'sitting'],
      ['dealy', 'delay'],
      ['', 'abc'],
      ['same', 'same'],
    ];
    expect(pairs.map(([a, b]) => editDistance(a!, b!))).toEqual([3, 1, 3, 0]);
  });
  test('names what was meant, or lists what there is', () => {
    expect(nearest('partiton', ['partition', 'link'])).toBe('partition');
    expect(nearest('xyzzy', ['partition', 'link'])).toBeNull();
    expect(unknownWord('key', 'dealy', ['delay'])).toBe('unknown key "dealy"; did you mean delay?');
    expect(unknownWord('key', 'xyzzy', ['delay', 'loss'])).toBe('unknown key "xyzzy"; known: delay, loss');
  });
});
