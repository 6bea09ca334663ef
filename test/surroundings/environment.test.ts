import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { builtProgram } from '../integration/built-programs.ts';
import { ClusterPlace, freePort, type Running, until, withoutWaiting } from '../integration/running-cluster.ts';
import { WebSocket } from 'ws';

/** A program's surroundings: environment, user, addresses, limits. */

const SECRET = '00112233445566778899aabbccddeeff';
const place = new ClusterPlace();
const folder = mkdtempSync(join(tmpdir(), 'mk-surroundings-'));
const STRANGER = ['--reuid', '12345', '--regid', '12345', '--clear-groups'];
const canBeAnother = spawnSync('setpriv', [...STRANGER, 'true']).status === 0;
const asAnother = canBeAnother ? test : test.skip;

// Another user must be able to read the programs.
beforeAll(() => void builtProgram('mkctl.cjs'));
afterAll(async () => {
  await place.cleanUp();
  rmSync(folder, { recursive: true, force: true });
});

function run(program: string, args: readonly string[], options: object = {}): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [builtProgram(`${program}.cjs`), ...args], {
    encoding: 'utf8',
    timeout: 600_000,
    ...options,
  });
  return { status, text: `${stdout}${withoutWaiting(stderr)}` };
}

describe('the state directory', () => {
  test('a relative MK_STATE_DIR is one and the same for mk-launch --detach and for mkctl', () => {
    const options = { cwd: folder, env: { ...process.env, MK_STATE_DIR: 'relative' } };
    const up = run('mk-launch', ['--cores', '1', '--detach'], options);
    try {
      expect(up.status).toBe(0);
      expect(run('mkctl', ['ps'], options).text).toContain('core-0');
      expect(readFileSync(join(folder, 'relative', 'mk.json'), 'utf8')).toContain('"core-0"');
    } finally {
      expect(run('mkctl', ['down'], options).status).toBe(0);
    }
  });

  asAnother('a user without HOME and without an entry in the list of users has a place for clusters', () => {
    const as = (program: string, ...args: readonly string[]): string => {
      const command = ['env', '-i', `PATH=${process.env['PATH']}`, `TMPDIR=${folder}`, process.execPath];
      const { stdout, stderr } = spawnSync(
        'setpriv',
        [...STRANGER, ...command, builtProgram(`${program}.cjs`), ...args],
        { encoding: 'utf8', cwd: '/' },
      );
      return `${stdout}${stderr}`;
    };
    chmodSync(folder, 0o777);
    expect(as('mkctl', 'ps')).toBe(
      `mkctl: no cluster runs here (looked in ${folder}/mk-12345); boot one with mk-launch, or name one elsewhere with --skb host:port\n`,
    );
    expect(as('mk-launch', '--cores', '1', '--for', '100ms')).toMatch(/\nstopped\n$/);
    // A folder that another user created first is not trusted with the secret.
    rmSync(join(folder, 'mk-12345'), { recursive: true });
    mkdirSync(join(folder, 'mk-12345'), { mode: 0o777 });
    expect(as('mkctl', 'ps')).toMatch(
      /^mkctl: .*mk-12345 is not a folder of this user alone; set MK_STATE_DIR[^\n]*\n$/,
    );
  });

  asAnother('a record whose number now belongs to another user’s process is forgotten', () => {
    const sleeper = spawn('sleep', ['3600'], { stdio: 'ignore' });
    const state = join(folder, 'stale');
    mkdirSync(state);
    chmodSync(folder, 0o777);
    chmodSync(state, 0o777);
    const supervisor = { name: 'supervisor', pid: sleeper.pid, startedTicks: '12', address: '127.0.0.1:9' };
    const record = {
      version: 1,
      name: 'mk',
      seed: '1',
      machine: 'flat',
      createdAt: '',
      secret: SECRET,
      detached: true,
    };
    writeFileSync(join(state, 'mk.json'), JSON.stringify({ ...record, logDir: null, supervisor, processes: [] }));
    chmodSync(join(state, 'mk.json'), 0o666);
    try {
      const { status, stdout, stderr } = spawnSync(
        'setpriv',
        [
          ...STRANGER,
          'env',
          `MK_STATE_DIR=${state}`,
          process.execPath,
          builtProgram('mk-launch.cjs'),
          ...['--cores', '1', '--for', '100ms'],
        ],
        { encoding: 'utf8', cwd: '/' },
      );
      expect([status, stdout.endsWith('stopped\n'), stderr]).toEqual([0, true, '']);
      expect(readFileSync(`/proc/${sleeper.pid}/stat`, 'utf8')).toMatch(/^\d+ \(sleep\) S /); // not a zombie
    } finally {
      sleeper.kill('SIGKILL');
    }
  });
});

describe('a process that its environment tells what it is', () => {
  const started: ChildProcess[] = [];
  afterAll(() => started.forEach((child) => void child.kill('SIGKILL')));

  function node(role: string, variables: Readonly<Record<string, string>>): Running {
    const running = place.start('mk-node.cjs', [role], { MK_SECRET: SECRET, MK_CORES: '0', ...variables });
    started.push(running.child);
    return running;
  }

  /** Resolves once the process there reports that it is well. */
  const well = (host: string, port: string): Promise<boolean> =>
    until(`${host}:${port} is well`, () =>
      fetch(`http://${host}:${port}/healthz`, { method: 'HEAD' }).then(
        ({ ok }) => ok,
        () => false,
      ),
    );

  test('Kubernetes’ variables for Services named mk and mk-skb, and mk’s own MK_STATE_DIR, break no start', async () => {
    const own = `127.9.${(process.pid >> 8) & 255}.${process.pid & 255}`; // nobody else uses its port 7000
    const skb = node('skb', {
      MK_PORT: 'tcp://10.96.0.11:7000',
      MK_SERVICE_HOST: '10.96.0.11',
      MK_PORT_7000_TCP_ADDR: '10.96.0.11',
      MK_SKB_SERVICE_HOST: '10.96.0.12',
      MK_SKB_SERVICE_PORT_LINKS: '7000',
      MK_SKB_PORT: 'tcp://10.96.0.12:7000',
      MK_SKB_PORT_7000_TCP: 'tcp://10.96.0.12:7000',
      MK_LISTEN_HOST: own,
    });
    await well(own, '7000');
    expect(skb.stderr).toBe('');
  });

  test.each([
    ['127.0.0.2', '127.0.0.2'],
    ['::1', '[::1]'],
    ['[::1]', '[::1]'],
    ['', '127.0.0.1'],
  ])('health asks where the process listens: MK_LISTEN_HOST=%j', async (host, reached) => {
    const port = String(await freePort(reached.replace(/[[\]]/g, '')));
    const where = { MK_LISTEN_HOST: host, MK_PORT: port };
    node('skb', where);
    await well(reached, port);
    const health = run('mk-node', ['health'], { env: { ...process.env, ...where } });
    expect([health.status, health.text]).toEqual([0, expect.stringContaining('"ok":true')]);
  });

  test('a cluster on IPv6: a core joins, mkctl reaches both; its page and mkctl logs tell what the processes log', async () => {
    const ports = [await freePort('::1'), await freePort('::1'), await freePort('::1')];
    const [skb, core, ui] = ports.map(String) as [string, string, string];
    const ipv6 = { MK_LISTEN_HOST: '::1', MK_ADVERTISE_HOST: '::1' };
    node('skb', { ...ipv6, MK_CORES: '1', MK_PORT: skb, MK_UI_PORT: ui });
    node('core', { ...ipv6, MK_SKB_ADDRESS: `[::1]:${skb}`, MK_PORT: core });
    await well('[::1]', core);
    const env = { ...process.env, MK_SECRET: SECRET };
    expect(run('mkctl', ['cores', '--skb', `[::1]:${skb}`], { env }).text).toContain(`[::1]:${core}`);
    expect(run('mkctl', ['healthz', '--skb', `[::1]:${skb}`], { env })).toMatchObject({ status: 0 });
    expect(run('mkctl', ['healthz', '--skb', `::1:${skb}`], { env }).text).toContain('IPv6 as [::1]:7000');
    const logs = ['logs', '--skb', `[::1]:${skb}`, '--event', 'core_ready'];
    await until('core 0 has logged that it is ready', () =>
      run('mkctl', logs, { env }).text.includes('core 0   core_ready'),
    );
    const page = new WebSocket(`ws://[::1]:${ui}/events`, { origin: `http://[::1]:${ui}` });
    const told: string[] = [];
    page.on('message', (data) => told.push(String(data)));
    await until('the page is told so', () =>
      told.some((text) => text.startsWith('{"type":"log"') && text.includes('"event":"core_ready","core":0')),
    );
    page.close();
  });
});

test('a shell whose folder has been removed can still ask', () => {
  const script = 'cd "$1" && rmdir "$1" && exec "$2" "$3" ps';
  const gone = join(folder, 'gone');
  mkdirSync(gone);
  const { status, stderr } = spawnSync('bash', ['-c', script, '', gone, process.execPath, builtProgram('mkctl.cjs')], {
    encoding: 'utf8',
    env: { ...process.env, MK_STATE_DIR: folder },
  });
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^mkctl: no cluster runs here[^\n]*\n$/)]);
});

describe('limits of the host', () => {
  const limited = (limit: string, ...args: readonly string[]): { status: number | null; stderr: string } => {
    const script = `ulimit ${limit}; exec "$0" "$@"`;
    const env = { ...process.env, MK_STATE_DIR: place.state };
    const command = [process.execPath, builtProgram('mk-launch.cjs'), ...args];
    return spawnSync('bash', ['-c', script, ...command], { env, encoding: 'utf8' });
  };

  test('too few descriptors: one line that names the cause, and nothing is left', () => {
    const { status, stderr } = limited('-n 40', '--cores', '16', '--for', '100ms', '--name', 'few');
    expect(stderr).toMatch(/^mk-launch: .* could not be started: .*open no more files \(ulimit -n\).*\(EMFILE\)\n$/);
    expect(status).toBe(2);
    expect(place.processes()).toEqual([]);
  });

  test('the same for a supervisor in the background', async () => {
    const { status, stderr } = limited('-n 27', '--cores', '16', '--detach', '--name', 'few');
    expect(stderr).toMatch(/^mk-launch: .* could not be started: .*open no more files \(ulimit -n\).*\(EMFILE\)\n$/);
    expect(status).toBe(2);
    // It ends after it has told its starter why, and the starter may end first.
    await until('the supervisor has ended', () => place.processes().length === 0);
  });
});
