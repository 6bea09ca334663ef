import { expect, test } from '@jest/globals';

/** The script is plain JavaScript, so its types are declared here. */
interface Against {
  figuresIn(output: string): Map<string, number>;
  comparison(before: readonly Map<string, number>[], after: readonly Map<string, number>[]): string[];
}

const script = new URL('../../scripts/bench-against.mjs', import.meta.url).href;
const { comparison, figuresIn } = (await import(script)) as Against;

const OUTPUT = `URPC round trip, 64 bytes, against an echo over bare ws
  ours      40.1 [38.0–55.2] µs
  ratio     1.08 [1.01–1.33]  (at most 1.15: held), 7 runs
insert       1,200,000 [900,000–1,300,000] per second of processor time, 800 [700–900] by the wall clock, 5 runs
`;

test('figures are found under the heading above them, several in a line by their place', () => {
  expect([...figuresIn(OUTPUT)]).toEqual([
    ['URPC round trip, 64 bytes, against an echo over bare ws: ours … µs', 40.1],
    ['URPC round trip, 64 bytes, against an echo over bare ws: ratio …, 7 runs', 1.08],
    ['insert … per second of processor time, … by the wall clock, 5 runs (1 of 2)', 1_200_000],
    ['insert … per second of processor time, … by the wall clock, 5 runs (2 of 2)', 800],
  ]);
});

test('both sides stand together, and a figure that one side lacks has no ratio', () => {
  const before = [new Map([['a', 10]]), new Map([['a', 30]]), new Map([['a', 20]])];
  const after = [new Map([['a', 40]]), new Map([['a', 10]]), new Map([['b', 1]])];
  expect(comparison(before, after)).toEqual([
    'a\n  before  10  30  20\n  after   40  10\n  ratio   1.25\n',
    'b\n  before  -\n  after   1\n  ratio   -\n',
  ]);
});
