import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ClusterPlace, until } from './running-cluster.ts';

/** What mkctl says about a cluster with unhealthy members: who, why, and an exit status that scripts can use. */

describe('a cluster that loses some of its own', () => {
  const place = new ClusterPlace();
  beforeAll(async () => {
    await place.boot('--cores', '3');
  });
  afterAll(() => place.cleanUp());
  afterEach(async () => {
    for (const target of ['skb', '0', '1', '2'])
      if (
        (await place.ask<{ name: string; state: string }[]>('ps')).some(
          (row) => row.name.endsWith(target) && row.state === 'ended',
        )
      )
        await place.mkctl('restart', target);
    await place.mkctl('heal');
    await until('all are well again', async () => (await place.mkctl('healthz')).status === 0);
  });

  test('a crashed core: healthz, cores and faults name it', async () => {
    await place.mkctl('crash', '2');
    const { status, stdout } = await place.mkctl('healthz');
    expect(status).toBe(1);
    expect(stdout).toMatch(/^NOT OK {2}core-2 +ended \(killed by SIGKILL\); mkctl restart 2 starts it again$/m);
    expect(stdout).toMatch(/^not healthy: \d of 4 processes$/m);
    expect((await place.mkctl('cores')).stdout).toMatch(/^2 .* ended *$/m);
    expect((await place.mkctl('faults')).stdout).toMatch(/^crash:2 +core 2 ended/m);
  });

  test('a hung core', async () => {
    await place.mkctl('hang', '1');
    expect(await place.mkctl('healthz')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^NOT OK {2}core-1 +hangs \(SIGSTOP\); mkctl heal wakes it$/m),
    });
    expect((await place.mkctl('cores')).stdout).toMatch(/^1 .* hung *$/m);
    expect(await place.ask('faults')).toEqual([expect.objectContaining({ process: 'core-1', state: 'hung' })]);
  });

  test('a core that somebody else has stopped is silent', async () => {
    const { pid } = (await place.ask<{ name: string; pid: number }[]>('ps')).find(({ name }) => name === 'core-1')!;
    process.kill(pid, 'SIGSTOP');
    try {
      const { status, stdout } = await place.mkctl('healthz');
      expect([status, stdout]).toEqual([1, expect.stringMatching(/^NOT OK {2}core-1 +.* did not answer within 3 s$/m)]);
      expect((await place.mkctl('faults')).stdout).toContain('silent:1');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('a dead SKB: healthz names it, and a core that cannot join without it is not ended first', async () => {
    await place.mkctl('crash', 'skb');
    expect(await place.mkctl('healthz')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^NOT OK {2}skb +ended .*mkctl restart skb starts it again/m),
    });
    expect(await place.mkctl('restart', '1')).toMatchObject({
      status: 1,
      stderr: 'mkctl: core 1 cannot join: the SKB does not run (killed by SIGKILL); first mkctl restart skb\n',
    });
    expect(await place.ask('ps')).toContainEqual(expect.objectContaining({ name: 'core-1', state: 'running' }));
  });

  test.each([
    ['logs --core 99', 'there is no core 99'],
    ['logs --op 9.9.9', 'mentions operation 9.9.9'],
    ['heal --rule nosuch', 'no rule named nosuch is in force'],
    ['heal 0 99', 'there is no core 99'],
    ['caps --core 99', 'there is no core 99'],
  ])('mkctl %s ends with 1 and a line', async (command, text) => {
    const { status, stdout, stderr } = await place.mkctl(...command.split(' '));
    expect([status, stdout, stderr]).toEqual([1, '', expect.stringContaining(text)]);
  });
});

describe('logs', () => {
  const place = new ClusterPlace();
  afterAll(() => place.cleanUp());

  test('outlive the cluster, and the next one does not overwrite them', async () => {
    const logDirs: string[] = [];
    for (const seed of ['first', 'second']) {
      expect((await place.start('mk-launch.cjs', ['--cores', '1', '--detach', '--seed', seed]).ended).status).toBe(0);
      expect((await place.mkctl('down')).status).toBe(0);
      const { status, stdout, stderr } = await place.mkctl('logs', '--event', 'process_started', '--core', 'launcher');
      expect([status, stdout]).toEqual([0, expect.stringContaining(`seed=${seed}`)]);
      logDirs.push(/its last run logged into (\S+)/.exec(stderr)![1]!);
    }
    expect(new Set(logDirs).size).toBe(2);
    expect(await place.mkctl('logs', '--core', '7')).toMatchObject({ status: 1, stdout: '' });
  });

  test('a clean end logs no warning', async () => {
    const { stdout } = await place.start('mk-launch.cjs', ['--cores', '4', '--json', '--for', '1s', '--name', 'clean'])
      .ended;
    const lines = stdout.split('\n').filter((line) => line.includes('"event"'));
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.filter((line) => /"level":"(warn|error)"/.test(line))).toEqual([]);
  });
});

test.each(['--data-dir', '--log-dir'])(
  '%s that cannot be made is one line, before anything is started',
  async (option) => {
    const place = new ClusterPlace();
    mkdirSync(join(place.state, 'x'));
    writeFileSync(join(place.state, 'x', 'file'), '');
    try {
      for (const folder of [join(place.state, 'x', 'file', 'y'), '/proc/nothing'])
        for (const detach of [[], ['--detach']]) {
          const { status, stderr } = await place.start('mk-launch.cjs', ['--cores', '1', option, folder, ...detach])
            .ended;
          expect([status, stderr]).toEqual([
            2,
            expect.stringMatching(new RegExp(`^mk-launch: ${option}: [^\\n]*\\n$`)),
          ]);
        }
    } finally {
      await place.cleanUp();
    }
  },
);
