import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { engineMissing, eventually } from '../support/container-engine.ts';
import { type CheckedLine, checkProcessLog } from '../support/log-schema.ts';

/*
 * The shipped docker-compose.yml under a real engine: four cores, then eight on the running cluster, then nothing.
 * The tests are steps of one story, in order. The project has a name of its own, so that a cluster of yours may run.
 */

const PROJECT = 'mk-compose-test';
const OTHER = 'mk-compose-other';
const READ_ONLY = 'mk-compose-read-only';
const root = fileURLToPath(new URL('../..', import.meta.url));
const missing = engineMissing();

if (missing !== null) process.stderr.write(`compose test skipped: ${missing}\n`);

function docker(...args: readonly string[]): string {
  const { stdout, stderr, status, error } = spawnSync('docker', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: { ...process.env, CORES: '4' },
  });
  if (error !== undefined || status !== 0) throw new Error(`docker ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}

function compose(...args: readonly string[]): string {
  return docker('compose', '--project-name', PROJECT, ...args);
}

/** Takes a project down, with its volumes and its image. */
function forget(project: string): void {
  docker('compose', '--project-name', project, 'down', '--volumes', '--rmi', 'all', '--timeout', '1');
}

interface Container {
  readonly Name: string;
  readonly State: string;
  readonly Health: string;
}

function containers(): Container[] {
  return compose('ps', '--all', '--format', 'json')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Container);
}

function mkctl<T>(...args: readonly string[]): T {
  return JSON.parse(compose('exec', '-T', 'skb', 'mkctl', ...args, '--json')) as T;
}

interface CoreRow {
  readonly core: number;
  readonly links: number;
  readonly up: boolean;
}

/** Waits until so many cores are all bound to one another; their rows. */
function meshOf(cores: number): Promise<CoreRow[]> {
  return eventually(`a mesh of ${cores}`, 180_000, () => {
    const rows = mkctl<CoreRow[]>('cores');
    return rows.length === cores && rows.every(({ links, up }) => up && links === cores - 1) ? rows : null;
  });
}

/** What each container logged, checked against the schema; one that was started again holds several processes' lines. */
function logs(): Readonly<Record<string, readonly CheckedLine[]>> {
  return Object.fromEntries(
    containers().map(({ Name }) => [
      Name,
      docker('logs', Name)
        .split(/^(?=.*"seq":1,)/m)
        .flatMap((text) => checkProcessLog(text)),
    ]),
  );
}

/** As jq's `fromjson?`: Compose's own lines are none of the log. That each line of a container is JSON has its own test. */
function fromJson(text: string): readonly CheckedLine[] {
  try {
    return [JSON.parse(text) as CheckedLine];
  } catch {
    return [];
  }
}

(missing === null ? describe : describe.skip)('docker compose', () => {
  beforeAll(() => {
    forget(PROJECT);
  });

  afterAll(() => {
    for (const project of [PROJECT, OTHER, READ_ONLY]) forget(project);
  });

  test('up, on an engine without the image: it is built once, and the SKB and four cores are bound to one another', async () => {
    compose('up', '--detach');
    expect(docker('image', 'ls', '--quiet', `mk-${PROJECT}`).trim().split('\n')).toHaveLength(1);
    const rows = await meshOf(4);
    expect(rows.map(({ core }) => core)).toEqual([0, 1, 2, 3]);
    await eventually('every container healthy', 180_000, () => {
      const all = containers();
      return all.length === 5 && all.every(({ State, Health }) => State === 'running' && Health === 'healthy')
        ? all
        : null;
    });
  });

  test('mkctl cores names the containers', () => {
    const names = containers().map(({ Name }) => `${Name}:7000`);
    const rows = mkctl<{ address: string }[]>('cores');
    expect(rows.map(({ address }) => address).sort()).toEqual(names.filter((name) => name.includes('core')).sort());
  });

  test('the processes are no root, and the secret is readable by them alone', () => {
    expect(compose('exec', '-T', 'skb', 'id', '-u').trim()).not.toBe('0');
    expect(compose('exec', '-T', 'core', 'stat', '-c', '%a %U', '/run/mk/secret').trim()).toBe('600 node');
  });

  test('up --scale core=8 on the running cluster: four more cores join live, 28 links', async () => {
    const before = mkctl<{ core: number; incarnation: number; address: string }[]>('cores');
    compose('exec', '-T', 'skb', 'mkctl', 'oct', 'set', 'before { a: 1 }');
    const ids = compose('ps', '--quiet').trim().split('\n');
    compose('up', '--detach', '--scale', 'core=8');
    expect(compose('ps', '--quiet').trim().split('\n')).toEqual(expect.arrayContaining(ids));
    expect(compose('exec', '-T', 'skb', 'mkctl', 'oct', 'get', 'before')).toBe('before { a: 1 }\n');
    const rows = await meshOf(8);
    expect(rows.reduce((sum, { links }) => sum + links, 0) / 2).toBe(28);
    const after = mkctl<{ core: number; incarnation: number; address: string }[]>('cores');
    const kept = before.map(({ core, incarnation, address }) => ({ core, incarnation, address }));
    for (const core of kept) expect(after).toContainEqual(expect.objectContaining(core));
  });

  test('another project (-p, or a copy of the checkout in another folder) is a cluster of its own', async () => {
    const other = (...args: readonly string[]): string => docker('compose', '--project-name', OTHER, ...args);
    other('up', '--detach', '--scale', 'core=1');
    await eventually('the other cluster has its core', 180_000, () =>
      other('exec', '-T', 'skb', 'mkctl', 'cores').includes(`${OTHER}-core-1:7000`) ? true : null,
    );
    expect(other('exec', '-T', 'skb', 'mkctl', 'oct', 'names', '_').trim()).toBe('');
    expect(compose('exec', '-T', 'skb', 'mkctl', 'oct', 'get', 'before')).toBe('before { a: 1 }\n');
    expect(mkctl<CoreRow[]>('cores')).toHaveLength(8);
    forget(OTHER);
    expect(await meshOf(8)).toHaveLength(8);
  });

  test('read_only: true works', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mk-compose-'));
    const override = join(folder, 'read-only.yml');
    writeFileSync(override, 'services: { skb: { read_only: true }, core: { read_only: true } }\n');
    const files = ['--file', 'docker-compose.yml', '--file', override];
    const readOnly = (...args: readonly string[]): string =>
      docker('compose', '--project-name', READ_ONLY, ...files, ...args);
    readOnly('up', '--detach', '--scale', 'core=1');
    await eventually('its core has joined', 180_000, () =>
      readOnly('exec', '-T', 'skb', 'mkctl', 'cores').includes('core-1:7000') ? true : null,
    );
    expect(readOnly('exec', '-T', 'skb', 'mkctl', 'oct', 'set', 'kept { a: 1 }')).toBe('kept { a: 1 }\n');
    forget(READ_ONLY);
    rmSync(folder, { recursive: true });
  });

  test('a core that is killed is started again and joins', async () => {
    const victim = containers().find(({ Name }) => Name.includes('core'))!.Name;
    docker('kill', '--signal', 'KILL', victim);
    compose('up', '--detach', '--scale', 'core=8', '--no-recreate');
    expect(await meshOf(8)).toHaveLength(8);
  });

  test('every line that a container logs is JSON, as the published schema says, none missing', () => {
    const all = docker('ps', '--filter', `label=com.docker.compose.project=${PROJECT}`, '--format', '{{.Names}}')
      .trim()
      .split('\n');
    expect(all).toHaveLength(9);
    const skb = logs()[`${PROJECT}-skb-1`]!;
    expect(skb.filter(({ event }) => event === 'core_registered').length).toBeGreaterThanOrEqual(8);
    expect(skb.some(({ event, cores, links }) => event === 'mesh_complete' && cores === 8 && links === 28)).toBe(true);
  });

  test('the README’s way from `docker compose logs` to jq', () => {
    const lines = compose('logs', 'core')
      .split('\n')
      .flatMap((line) => fromJson(line.replace(/^[^{]*/, '')));
    expect(lines.filter(({ event }) => event === 'core_ready').length).toBeGreaterThanOrEqual(8);
  });

  // A container that is not gone within its grace period of 5 s is killed, and its status is 137.
  test('down: within 5 s, each process by itself and with a clean status, nothing left', () => {
    compose('stop');
    const statuses = containers().map(({ Name }) => docker('inspect', '--format', '{{.State.ExitCode}}', Name).trim());
    expect(statuses).toEqual(Array.from({ length: 9 }, () => '0'));
    compose('down', '--volumes');
    for (const kind of ['container', 'network', 'volume']) {
      const all = kind === 'container' ? ['--all'] : [];
      expect(docker(kind, 'ls', ...all, '--quiet', '--filter', `label=com.docker.compose.project=${PROJECT}`)).toBe('');
    }
  });
});
