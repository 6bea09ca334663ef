/*
 * A picture for each kind of broken links among five cores: the kernel itself on virtual time, links broken for eight
 * seconds and healed. `npm run bench -- partitions` writes docs/figures/broken-KIND.svg and prints the outcome of each
 * run; the same seed, the same pictures.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseFaultPlan } from '@mk/machine/fault-plan';
import { flatMachine } from '@mk/sim/engine/machines';
import { runScenario } from '@mk/sim/engine/run-scenario';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { scenarioOfPlan } from '@mk/sim/nemesis/plan-scenario';
import { clusterPicture } from '@mk/launcher/explain/cluster-picture';
import type { LogLine } from '@mk/launcher/display/log-printer';

type Link = readonly [from: number, to: number];

const both = (...pairs: readonly Link[]): readonly Link[] =>
  pairs.flatMap(([a, b]): readonly Link[] => [
    [a, b],
    [b, a],
  ]);
const pairsBetween = (some: readonly number[], others: readonly number[]): readonly Link[] =>
  some.flatMap((a) => others.map((b): Link => [a, b]));

/** Which links are broken: core 0 leads when they break. */
const KINDS: Readonly<Record<string, readonly Link[]>> = {
  cut: both(...pairsBetween([0, 1], [2, 3, 4])),
  isolated: both(...pairsBetween([0], [1, 2, 3, 4])),
  'one-way': [[0, 3]],
  deaf: pairsBetween([0, 1, 2, 3], [4]),
  mute: pairsBetween([4], [0, 1, 2, 3]),
  bridge: both(...pairsBetween([0, 1], [3, 4])),
  pairs: both([0, 1], [2, 3]),
  ring: both([0, 2], [0, 3], [1, 3], [1, 4], [2, 4]),
  star: both(...pairsBetween([1], [2, 3, 4]), ...pairsBetween([2], [3, 4]), [3, 4]),
};

function planOf(links: readonly Link[]): string {
  const faults = links.map(
    ([from, to]) => `  - { at: 1s, partition: { groups: [[${from}], [${to}]], one_way: true, for: 8s } }`,
  );
  return ['cores: 5', 'lease: 2s', 'faults:', ...faults, 'expect: [invariants, converge]', ''].join('\n');
}

function drawn(kind: string, links: readonly Link[]): string {
  const plan = parseFaultPlan(planOf(links));
  if (!plan.ok) throw new Error(plan.error);
  const scenario = scenarioOfPlan(plan.value, { seed: 1, cores: null, machine: null });
  if (!scenario.ok) throw new Error(scenario.error);
  const lines: LogLine[] = [];
  const { violations, inconclusive } = runScenario(
    { ...scenario.value, load: [] },
    {
      hmac: hmacSha256,
      machineOf: () => flatMachine(5),
      prepare: (simulation) =>
        simulation.observe({
          line: (line) => void lines.push({ ...line }),
          faultLine: (line) => void lines.push({ ...line }),
        }),
    },
  );
  const text = links.map(([from, to]) => `${from}→${to}`).join(' ');
  const shown = lines.filter((line) => line.time > 0 && line.event !== 'core_registered').flatMap(asOneFault());
  writeFileSync(
    join('docs', 'figures', `broken-${kind}.svg`),
    clusterPicture(`Five cores, ${kind}: broken for 8 s are ${text}`, shown),
  );
  const views = new Map<number, string>();
  for (const line of lines)
    if (line.event === 'view_installed')
      views.set(
        Number(line['view']),
        `${(line.time / 1000).toFixed(1)} s view ${line['view']}: ${JSON.stringify(line['members'])} led by ${line['leader']}`,
      );
  const fenced = lines
    .filter(({ event }) => event === 'core_fenced')
    .map((line) => `${line.core} at ${(line.time / 1000).toFixed(1)} s`);
  return [
    `${kind}: ${inconclusive ?? (violations.length === 0 ? 'held' : JSON.stringify(violations[0]))}`,
    ...[...views.values()].map((view) => `  ${view}`),
    `  fenced: ${fenced.join(', ') || 'nobody'}`,
  ].join('\n');
}

/** All links break and are whole again at one moment, which is one line of the picture. */
function asOneFault(): (line: LogLine) => readonly LogLine[] {
  const seen = new Set<string>();
  return (line) => {
    if (!line.event.startsWith('fault_')) return [line];
    if (seen.has(line.event)) return [];
    seen.add(line.event);
    return [{ ...line, text: 'these links break', rule: 'all links are whole' }];
  };
}

for (const [kind, links] of Object.entries(KINDS)) process.stdout.write(`${drawn(kind, links)}\n`);
