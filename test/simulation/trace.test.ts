import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { runSim } from '@mk/sim/cli';
import { parseChromeTrace } from '../support/chrome-trace.ts';

/** What `mk-launch sim --trace` writes: seed 24 crashes, hangs and cuts off cores within its first seconds. */
const folder = mkdtempSync(join(tmpdir(), 'mk-trace-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sim(args: Readonly<Record<string, unknown>>): { readonly status: number; readonly errors: readonly string[] } {
  const errors: string[] = [];
  const terminal = {
    interactive: false,
    out: () => undefined,
    error: (text: string) => void errors.push(text),
    progress: () => undefined,
  };
  const context = { machinesDirectory: () => 'packages/launcher/machines', done: () => undefined, terminal };
  return { status: runSim({ scenario: 'nemesis', seed: '24', once: true, ...args }, context), errors };
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

test('a run as a Chrome trace: tracks, slices, an arrow a message, spans of operations, marks of faults', () => {
  expect(sim({ trace: join(folder, 'whole') }).status).toBe(0);
  const trace = parseChromeTrace(read('whole.json'));
  expect(trace.faults).toEqual([]);
  expect([...trace.tracks.values()]).toEqual(['core 0', 'core 1', 'core 2', 'core 3', 'skb']);
  expect(trace.slices.length).toBeGreaterThan(500);
  expect(trace.flows.length).toBeGreaterThan(200);
  expect(trace.spans.some(({ begin }) => /round, 2-phase \d+\.\d+\.\d+$/.test(begin.name))).toBe(true);
  const marks = trace.marks.map(({ name }) => name);
  for (const mark of ['crash 0', 'core 0 ended: crashed', 'end of crash:0']) expect(marks).toContain(mark);
  expect(marks.some((name) => name.startsWith('lost ('))).toBe(true);
  const svg = read('whole.svg');
  expect(svg).toMatch(/Time to scale\.|Not to scale/);
  expect(svg).toContain('frames are left out');
  expect(svg).toContain('crash 0');
  expect(svg).toContain('a message that is lost, and why');
});

test('one operation alone, on all cores that it touches, to scale', () => {
  const [op] = /(?<="op":")3\.1\.\d+/.exec(read('whole.log'))!;
  expect(sim({ trace: join(folder, 'one'), op }).status).toBe(0);
  const lines = read('one.log').trim().split('\n');
  expect(lines.every((line) => (JSON.parse(line) as { op: string }).op === op)).toBe(true);
  const trace = parseChromeTrace(read('one.json'));
  expect(trace.faults).toEqual([]);
  expect(trace.flows.every(({ start }) => start.args['op'] === op)).toBe(true);
  const svg = read('one.svg');
  expect(svg).toContain(`Operation ${op}`);
  expect(svg).toContain('Time to scale.');
  // An arrow twice as late is twice as far down.
  const sent = [...svg.matchAll(/y1="([\d.]+)" x2="[\d.]+" y2="([\d.]+)"[^>]*class="message"/g)];
  expect(sent.length).toBe(trace.flows.length);
});

test('a span of virtual time, with the faults that were in force when it began', () => {
  const args = { 'trace-events': join(folder, 'span.json'), trace: join(folder, 'span'), from: '1400ms', to: '1700ms' };
  expect(sim(args).status).toBe(0);
  const trace = parseChromeTrace(read('span.json'));
  expect(trace.faults).toEqual([]);
  expect(Math.min(...trace.flows.map(({ start }) => start.ts))).toBeGreaterThanOrEqual(1_400_000);
  expect(Math.max(...trace.flows.map(({ start }) => start.ts))).toBeLessThanOrEqual(1_700_000);
  expect(trace.marks.map(({ name }) => name)).toContainEqual(
    expect.stringMatching(/^crash 0 \(in force since 1\d{3}\./),
  );
  expect(read('span.svg')).toContain('in force since');
});

test.each([
  [{ op: '9.9.9' }, 'operation 9.9.9 does not occur'],
  [{ op: 'x' }, 'is not an operation'],
  [{ from: '2s', to: '1s' }, '--from must come before --to'],
])('%j is refused', (args, text) => {
  const { status, errors } = sim({ trace: join(folder, 'no'), ...args });
  expect([status, errors.join()]).toEqual([2, expect.stringContaining(text)]);
});
