import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { RunReport } from '@mk/machine/report/run-report';
import { ClusterPlace, type Outcome } from './running-cluster.ts';

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});
afterEach(() => place.cleanUp());

function run(plan: string): Promise<Outcome> {
  const file = join(place.state, 'plan.yaml');
  writeFileSync(file, plan);
  return place.launch('--plan', file).ended;
}

test('a plan whose faults heal holds', async () => {
  const { status, stdout, stderr } = await run(`
seed: 42
cores: 4
faults:
  - at: 200ms  partition: { groups: [[0, 1], rest], for: 1s }
  - at: 1500ms crash: { core: 3 }
  - at: 4500ms restart: { core: 3 }
  - at: 5s     link: { from: 0, to: 1, delay: 5ms, loss: 1% }
  - at: 5500ms heal: all
expect: [invariants, converge]
`);
  expect(stdout).toContain('"seed":"42"');
  expect(stdout).toContain('held: invariants, converge');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const latest = join(place.state, 'runs', 'latest');
  expect(readdirSync(latest).sort()).toEqual(['plan.yaml', 'report.html', 'report.json', 'report.txt']);
  const report = JSON.parse(readFileSync(join(latest, 'report.json'), 'utf8')) as RunReport;
  const told = JSON.parse(stdout.split('\n').find((line) => line.includes('"type":"report"')) ?? '') as object;
  expect(told).toMatchObject({ type: 'report', folder: expect.stringContaining('runs'), report });
  expect(report).toMatchObject({ world: 'processes', verdict: 'held', asked: { seed: '42', cores: 4 } });
  const [partition, crash] = report.faults;
  expect(partition).toMatchObject({ text: 'partition 0,1 | rest for 1 s', planned_ms: 200 });
  expect(partition?.ended_ms).not.toBeNull();
  expect(partition?.frames).toBeGreaterThan(0);
  expect(crash).toMatchObject({ text: 'crash 3', planned_ms: 1500 });
  expect(crash?.ended_ms).not.toBeNull();
  expect(crash?.did.join()).toMatch(/went on without core 3/);
  expect(report.requests.map(({ what }) => what)).toEqual(['round']);
  expect(place.processes()).toEqual([]);
});

test('random capability operations keep every invariant while sockets are reset', async () => {
  const { status, stdout } = await run(`
cores: 6
latency: 2ms
jitter: 2ms
workload: { program: churn, args: [--seconds, 6] }
faults:
  - { at: 0s, link: { from: all, to: all, both: true, reset_after: 1s } }
  - { at: 7s, heal: all }
expect: [workload, invariants, converge]
`);
  expect(stdout).toMatch(/churn: [\d,]+ operations on 12 domains in [\d.]+ s: [\d,]+ operations\/s/);
  expect(stdout).toMatch(/audit: \d+ capabilities on 6 cores: every invariant holds/);
  expect(stdout).toContain('held: workload, invariants, converge');
  expect(status).toBe(0);
  expect(place.processes()).toEqual([]);
});

test('a plan that leaves the cluster cut in two is found out', async () => {
  const { status, stdout } = await run(`
cores: 3
faults:
  - at: 100ms isolate: { core: 2 }
expect: [converge]
`);
  expect(stdout).toContain('BROKEN');
  expect(status).toBe(1);
  expect(place.processes()).toEqual([]);
});

test('a mistake in a plan is told before anything boots', async () => {
  for (const [plan, text] of [
    ['cores: 3\nfaults:\n  - { at: 1s, crash: { core: 7 } }\n', 'core 7'],
    ['cores: 3\nfaluts: []\n', 'faults'],
    ['cores: 3\nworkload: { program: matrix }\n', 'matrix'],
    ['cores: 3\nworkload: { program: churn, args: [--minutes, 1] }\n', '--minutes'],
    ['cores: 3\nexpect: [workload]\n', 'workload'],
  ] as const) {
    const { status, stderr } = await run(plan);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(text) });
  }
});
