import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace, type Outcome } from './running-cluster.ts';

/** A plan's workload is a program, shipped or the user's own, on processes and on virtual time. */

let place: ClusterPlace;
beforeAll(() => {
  place = new ClusterPlace();
});
afterAll(() => place.cleanUp());

function written(name: string, text: string): string {
  const file = join(place.state, name);
  writeFileSync(file, text);
  return file;
}

let clusters = 0;
const processes = (plan: string): Promise<Outcome> =>
  place.start('mk-launch.cjs', ['--plan', plan, '--name', `plan-${(clusters += 1)}`]).ended;
const simulated = (plan: string): Promise<Outcome> => place.start('mk-launch.cjs', ['sim', '--plan', plan]).ended;

/** While the program runs, one of its cores crashes and returns, and another is cut off. */
const faults = `faults:
  - { at: 500ms,  partition: { groups: [[0, 1, 2, skb], [3]], for: 800ms } }
  - { at: 2500ms, crash: { core: 2 } }
  - { at: 3500ms, restart: { core: 2 } }
expect: [workload, invariants, converge]
`;

test('the bank loses no money on processes while a core of it crashes and another is cut off', async () => {
  const plan = written('bank.yaml', `cores: 4\nworkload: { program: bank, args: [--rounds, 30] }\n${faults}`);
  const { status, stdout } = await processes(plan);
  expect(stdout).toMatch(
    /0\/0\.1\.1 {2}\d+ transfers committed, \d+ aborted, \d+ branches began again; 1600 of 1600 there/,
  );
  expect(stdout).toContain('workload bank (0.1.1) exited with 0');
  expect(stdout).toContain('held: workload, invariants, converge');
  expect(status).toBe(0);
});

test('the store loses no acknowledged increment, the same plan', async () => {
  const plan = written('kv.yaml', `cores: 4\nworkload: { program: kv, args: [--rounds, 2] }\n${faults}`);
  const { status, stdout } = await processes(plan);
  expect(stdout).toMatch(
    /0\/0\.1\.1 {2}\d+ increments acknowledged of \d+ tried by 4 clients; (the counters say|no majority)/,
  );
  expect(stdout).toContain('workload kv (0.1.1) exited with 0');
  expect(stdout).toContain('held: workload, invariants, converge');
  expect(status).toBe(0);
});

test('a file of one’s own on the cores that the plan names; its status and its assertions are judged in both worlds', async () => {
  const program = written(
    'own.js',
    `export async function main(mk) {
      mk.console.log('core ' + mk.self.core + ' of ' + mk.env.CORES + ': ' + mk.args.join('+'));
      mk.assert(mk.args[0] !== 'break' || mk.self.core !== 2, 'broken on purpose');
      return mk.args[0] === 'fail' && mk.self.core === 2 ? 3 : 0;
    }\n`,
  );
  const plan = (word: string): string =>
    written(
      `${word}.yaml`,
      `cores: 3\nworkload: { program: ${JSON.stringify(program)}, on: [0, 2], args: [${word}, 7] }\nexpect: [workload]\n`,
    );
  const held = await Promise.all([processes(plan('hold')), simulated(plan('hold'))]);
  for (const { status, stdout } of held) {
    expect(stdout).toContain('core 0 of 0,2: hold+7');
    expect(stdout).toContain('core 2 of 0,2: hold+7');
    expect(status).toBe(0);
  }
  const [failed, broken] = await Promise.all([processes(plan('fail')), processes(plan('break'))]);
  expect(failed.stdout).toContain('BROKEN: own (2.1.1) exited with 3');
  expect(broken.stdout).toMatch(/BROKEN: own \(2\.1\.1\) ended with ASSERTION_FAILED: .*broken on purpose/);
  const inSimulator = [await simulated(plan('fail')), await simulated(plan('break'))];
  expect(inSimulator[0]!.stdout).toContain('PR2');
  expect(inSimulator[1]!.stdout).toContain('PR1');
  for (const { status } of [failed, broken, ...inSimulator]) expect(status).toBe(1);
});

test('a workload that is not a program, does not compile or is on a core that there is not is told before anything boots', async () => {
  const bad = written('bad.ts', 'export const main = (;\n');
  for (const [workload, text] of [
    ['{ program: matrix }', 'there is no program matrix'],
    [`{ program: ${JSON.stringify(bad)} }`, 'bad.ts:1:'],
    ['{ program: hello, on: [5] }', 'core 5'],
  ] as const) {
    const plan = written('wrong.yaml', `cores: 3\nworkload: ${workload}\n`);
    for (const { status, stderr } of [await processes(plan), await simulated(plan)])
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(text) });
  }
  expect(place.processes()).toEqual([]);
});
