import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { SimTerminal } from '@mk/sim/io/terminal';
import { runSim } from '@mk/sim/cli';
import { sharePlot, shareText } from '@mk/sim/commands/share-figure';
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

/** The output of `mk-launch sim --json`. */
async function simulated(scenario: string, name: string, machine: string, cores: number): Promise<unknown> {
  const lines: string[] = [];
  const out = (line: string): void => void lines.push(line);
  const terminal: SimTerminal = { interactive: false, out, error: out, progress: () => undefined };
  const program = {
    name,
    text: await programText(join(process.cwd(), 'packages', 'programs', 'src', `${name}.ts`)),
    contextText: await contextText(),
    domains: 'one',
    inSources: (text: string) => text,
  } as const;
  const context = { terminal, machinesDirectory: () => MACHINES, done: () => undefined };
  expect(runSim({ scenario, machine, cores: String(cores), json: true }, context, program)).toBe(0);
  return JSON.parse(lines.join(''));
}

describe('the unmap of a page, simulated', () => {
  let curves: readonly UnmapCurve[];

  beforeAll(async () => {
    ({ curves } = (await simulated('unmap', 'unmap-bench', 'amd-8x4', CORES)) as { curves: UnmapCurve[] });
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

describe('what an unmap costs those it interrupts, simulated', () => {
  test('is a message each way, more for who leads others, and nothing for whom it does not ask', async () => {
    interface Told {
      readonly plan: string;
      readonly asked: readonly number[];
      readonly noise_ns: number;
      readonly rows: readonly { readonly core: number; readonly touched: boolean; readonly lost_ns: number }[];
    }
    const { plans } = (await simulated('disruption', 'disruption-bench', 'amd-8x4', CORES)) as { plans: Told[] };
    const lost = (plan: string): readonly number[] =>
      plans.find((one) => one.plan === plan)!.rows.map(({ lost_ns: ns }) => Math.round(ns * GHZ));
    for (const { asked, noise_ns: noise } of plans) expect([asked, noise]).toEqual([[4], 0]);
    for (const { plan } of plans) expect(lost(plan).filter((_, i) => i % 2 === 1)).toEqual([0, 0, 0]);
    const touched = (plan: string): readonly number[] => lost(plan).filter((_, i) => i % 2 === 0);
    const [near, , far] = touched('unicast');
    // 120 cycles for a look at the request, 70 for an answer within the package, 110 for one a hop away.
    expect([near! >= 180 && near! <= 200, far! > near!]).toEqual([true, true]);
    // Core 5 leads core 7, since core 4 was not asked.
    for (const plan of ['multicast', 'numa']) expect(touched(plan)[2]).toBeGreaterThan(touched(plan)[3]! + 120);
  });
});

describe('shared memory against messages', () => {
  const rows = [1, 2, 4].flatMap((cores) =>
    [1, 8].map((lines) => ({ cores, lines, shared_ns: 100 * cores * lines, messages_ns: 300 + cores })),
  );

  test('is a table: a column a kind and number of lines, and who is the cheaper from where on', () => {
    const text = shareText(rows, { name: 'ns', ns: 1 });
    expect(text).toMatch(/^cores +SHM1 +MSG1 +SHM8 +MSG8$/m);
    expect(text).toMatch(/^ +4 +400 +304 +3200 +304$/m);
    expect(text).toContain('Messages are the cheaper for an update of 1 line from 4 cores.');
    expect(text).toContain('Messages are the cheaper for an update of 8 lines from 1 core.');
    expect(sharePlot(rows, '')).toMatch(/^<svg [^]*SHM8[^]*<\/svg>\n$/);
    const dear = rows.map((row) => ({ ...row, messages_ns: 10_000 }));
    expect(shareText(dear, { name: 'ns', ns: 1 })).toContain(
      'Shared memory is the cheaper for an update of 8 lines by 4',
    );
  });

  test('on virtual time messages do not care for the lines, and both grow with the cores', async () => {
    const told = await simulated('share', 'share-bench', 'amd-4x4', 4);
    const shares = (told as { rows: { cores: number; lines: number; shared_ns: number; messages_ns: number }[] }).rows;
    const of = (lines: number, cores: number) => shares.find((row) => row.lines === lines && row.cores === cores)!;
    expect(shares.map(({ cores }) => cores)).toEqual([1, 2, 3, 1, 2, 3]);
    for (const cores of [1, 2, 3]) expect(of(8, cores).messages_ns).toBeCloseTo(of(1, cores).messages_ns, -2);
    expect(of(1, 3).shared_ns).toBeGreaterThan(of(1, 1).shared_ns);
    expect(of(8, 3).shared_ns).toBeGreaterThan(of(1, 3).shared_ns);
  });
});
