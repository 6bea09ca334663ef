import { expect, test } from '@jest/globals';
import { asksForJson } from '../src/cli/run-cli.ts';
import { forMachines } from '../src/cli/machine-output.ts';
import { samplesOf } from '../src/client/merge-metrics.ts';

test('keys have one spelling, and times their unit', () => {
  expect(
    forMachines({
      elapsedMs: 3,
      rule: { id: 'a', for_ns: null },
      times: [{ from: 0, count: 2, min: 1, p50: 2, p99: 3, max: 4, average: 2 }],
      errors: { PEER_GONE: 2 },
      bounds: { min: 1, max: 2 },
    }),
  ).toEqual({
    elapsed_ms: 3,
    rule: { id: 'a', for_ns: null },
    times: [{ from: 0, count: 2, min_ns: 1, p50_ns: 2, p99_ns: 3, max_ns: 4, average_ns: 2 }],
    errors: { PEER_GONE: 2 },
    bounds: { min: 1, max: 2 },
  });
});

test('a page of metrics as values', () => {
  const page = '# HELP mk_x X\n# TYPE mk_x counter\nmk_x{process="skb",text="a\\"b,}\\n"} 2.5\nmk_y +Inf\n';
  expect(samplesOf(page)).toEqual([
    { name: 'mk_x', labels: { process: 'skb', text: 'a"b,}\n' }, value: 2.5 },
    { name: 'mk_y', labels: {}, value: null },
  ]);
});

test('--json behind -- is not an option', () => {
  expect(asksForJson(['ps', '--json'])).toBe(true);
  expect(asksForJson(['skb', '--', '--json'])).toBe(false);
});
