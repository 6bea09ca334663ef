import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { SimTerminal } from '@mk/sim/io/terminal';
import { runSim } from '@mk/sim/cli';
import {
  stackFile,
  treesWinFrom,
  type UnmapCurve,
  unmapCurve,
  type UnmapPoint,
  unmapText,
} from '@mk/sim/commands/unmap-figure';
import { contextText, programText } from '../../../scripts/bundle-program.mjs';

const CORES = 8;
const GHZ = 2;
const MACHINES = join(process.cwd(), 'packages', 'launcher', 'machines');

describe('the unmap of a page, simulated', () => {
  let curves: readonly UnmapCurve[];

  beforeAll(async () => {
    const lines: string[] = [];
    const out = (line: string): void => void lines.push(line);
    const terminal: SimTerminal = { interactive: false, out, error: out, progress: () => undefined };
    const program = {
      name: 'unmap-bench',
      text: await programText(join(process.cwd(), 'packages', 'programs', 'src', 'unmap-bench.ts')),
      contextText: await contextText(),
      domains: 'one',
      inSources: (text: string) => text,
    } as const;
    const context = { terminal, machinesDirectory: () => MACHINES, done: () => undefined };
    expect(runSim({ scenario: 'unmap', cores: String(CORES), json: true }, context, program)).toBe(0);
    curves = (JSON.parse(lines.join('')) as { curves: UnmapCurve[] }).curves;
  });

  const points = (plan: string): readonly UnmapPoint[] => curves.find((curve) => curve.plan === plan)!.points;

  test('is measured by every plan at each number of cores', () => {
    expect(curves.map(({ plan }) => plan)).toEqual(['unicast', 'broadcast', 'multicast', 'numa']);
    for (const curve of curves) expect(curve.points.map(({ cores }) => cores)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('has in it what the round alone takes: the cycles of the shootdown', () => {
    const cycles = (plan: string): number => points(plan).at(-1)!.round_ns * GHZ;
    expect(['unicast', 'broadcast', 'multicast', 'numa'].map(cycles)).toEqual([1796, 3755, 2692, 2542]);
  });

  test('is as long as its stages, whose local ones do not grow with the cores', () => {
    for (const { points: all } of curves)
      for (const { p50_ns: whole, stack } of all) {
        const sum = Object.values(stack).reduce((total, ns) => total + ns, 0);
        expect(Math.abs(sum - whole)).toBeLessThanOrEqual(2);
        expect(Math.abs(stack.call + stack.marshalling - points('unicast')[0]!.p50_ns)).toBeLessThanOrEqual(2);
      }
  });
});

describe('the figure of an unmap', () => {
  const round = (takenNs: number, sentNs: number, quiesceNs: number, endedNs: number) => {
    return { cores: 4, messages: 6, takenNs, sentNs, quiesceNs, endedNs, elapsedNs: endedNs - takenNs };
  };

  test('puts each round into the call that it was part of', () => {
    const row = { cores: 4, p50_ns: 100, min_ns: 90, unmaps: [[1000, 1100] as const] };
    const curve = unmapCurve('numa', [row], [round(10, 12, 0, 50), round(1010, 1014, 30, 1090)]);
    expect(curve.points[0]).toEqual({
      cores: 4,
      p50_ns: 100,
      min_ns: 90,
      round_ns: 80,
      messages: 6,
      stack: { call: 10, marshalling: 4, round: 46, quiesce: 30, reply: 10 },
    });
  });

  test('says from how many cores on the trees win for good', () => {
    const point = (cores: number, ns: number) => ({ ...unmapCurve('', [row(cores, ns)], []).points[0]! });
    const row = (cores: number, ns: number) => ({ cores, p50_ns: ns, min_ns: ns, unmaps: [] });
    const curve = (plan: string, ...times: number[]) => ({ plan, points: times.map((ns, i) => point(2 * i + 2, ns)) });
    const whole = ({ p50_ns: ns }: UnmapPoint): number => ns;
    const unicast = curve('unicast', 1, 5, 3, 6, 8);
    expect(treesWinFrom([unicast, curve('numa', 2, 4, 4, 5, 5)], whole)).toBe(8);
    expect(treesWinFrom([unicast, curve('numa', 2, 6, 6, 7, 9)], whole)).toBeNull();
    expect(treesWinFrom([unicast], whole)).toBeNull();
    const text = unmapText([unicast, curve('numa', 2, 4, 4, 5, 5)], { name: 'ns', ns: 1 });
    expect(text).toMatch(/^ +10 +8 \(0\) +5 \(0\)$/m);
    expect(text).toContain('The trees beat unicast from 8 cores');
  });

  test('has the stacks in files of their own', () => {
    expect([stackFile('a/unmap.svg', 'numa'), stackFile('unmap', 'numa')]).toEqual(['a/unmap-numa.svg', 'unmap-numa']);
  });
});
