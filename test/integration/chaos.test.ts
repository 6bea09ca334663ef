/* Faults drawn from a seed on real processes, and a plan that ships. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, PATIENT, until } from './running-cluster.ts';

const LONG = ['chaos', '--seed', '1', '--for', '10m', '--weights', 'crash=0,hang=0,skb_loss=0'];
const CHAOS = ['chaos', '--seed', '5', '--for', '5s', '--weights', 'crash=90,skb_loss=0'];

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});
afterEach(() => place.cleanUp());

/** Processor time used by a process, in ticks. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

test('mkctl chaos: the plan of the seed, a verdict, results that stay; a slowed core runs on', async () => {
  const { launcher, ready } = await place.boot('--cores', '4', '--seed', '77', '--latency', '1ms');
  const out = join(place.state, 'results');
  // A picture that cannot be written is reported, and hides no verdict.
  mkdirSync(join(out, 'space-time.svg'), { recursive: true });
  const wanted = await place.mkctl(...CHAOS, '--cores', '4', '--print');
  const { status, stdout, stderr } = await place.mkctl(...CHAOS, '--out', out);
  expect({ status, stderr, stdout }).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^mkctl: space-time.svg could not be kept: EISDIR.*\n$/),
  });
  expect(stdout).toMatch(/^seed 5\n[\s\S]*held: workload, invariants, converge\n/);
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
    /repeat it with: mkctl chaos --seed 5 --for 5s --weights crash=90,skb_loss=0, on a cluster of: mk-launch --cores 4 --machine flat --time-scale 1 --seed 77 --latency 1ms --lease 300000ms$/,
  );
  expect(readFileSync(join(out, 'plan.yaml'), 'utf8')).toBe(wanted.stdout);
  expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toMatchObject({ verdict: 'held' });
  expect(readFileSync(join(out, 'log.jsonl'), 'utf8')).toContain('"event":"view_installed"');

  // Whatever asks it to end, it heals everything first, and has nowhere to print.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    expect((await place.mkctl('link', '0', '1', '--delay', '1ms')).status).toBe(0);
    const interrupted = place.start('mkctl.cjs', [...LONG, '--out', join(place.state, signal)]);
    await until('the plan is under way', () => /^plan at /m.test(interrupted.stdout));
    interrupted.child.kill(signal);
    const ended = await interrupted.ended;
    expect(ended).toMatchObject({ status: 2, stdout: expect.stringMatching(/\nit was interrupted\nhealed /) });
    expect(await place.ask('faults')).toEqual([]);
    // The load ends with the plan, long before its own time.
    await until('an audit finds quiet cores', async () => (await place.mkctl('audit')).status === 0);
  }
  expect(readFileSync(join(place.state, 'SIGHUP', 'space-time.svg'), 'utf8')).toMatch(/^<svg [\s\S]*/);

  const { pid } = ready.processes.find(({ name }) => name === 'core-0')!;
  expect((await place.mkctl('slow', '0', '--factor', '50')).status).toBe(0);
  const rows = await place.ask<{ name: string; how: string }[]>('ps');
  expect(rows.find(({ name }) => name === 'core-0')!.how).toBe('slowed 50 times');
  // It is stopped most of the time, and runs now and then.
  await until('it stands still', () => /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  const before = ticksOf(pid);
  await until('it runs on', async () => {
    await place.mkctl('ping', '1', '0', '--count', '3');
    return ticksOf(pid) > before;
  });
  expect(await place.ask('heal')).toMatchObject({ healed: ['slow:0'] });
  launcher.child.kill('SIGINT');
  expect((await launcher.ended).status).toBe(0);
  expect(place.processes()).toEqual([]);
});

test('more than half of a machine dies within a second: plans/cascading-crashes.yaml', async () => {
  const plan = join(import.meta.dirname, '../../plans/cascading-crashes.yaml');
  const { status, stdout } = await place.launch('--plan', plan, ...PATIENT).ended;
  expect(stdout).toContain('held: workload, invariants, converge');
  expect(status).toBe(0);
  expect(place.processes()).toEqual([]);
});
