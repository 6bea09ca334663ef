/*
 * The shipped docker-compose.yml under a real engine: four cores, then eight on the running cluster, one of them
 * killed, then three, then none. It uses mutual TLS, guards its metrics and serves the page; the other two projects do
 * not. The tests are steps of one story, in order. Project names are unique to this run, so that your cluster and other
 * runs may exist beside it.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { engineMissing, eventually } from '../support/container-engine.ts';
import { builtProgram } from '../integration/built-programs.ts';
import { type CheckedLine, checkProcessLog } from '../support/log-schema.ts';

const NAMES = 'mk-compose-test-';
const PROJECT = `${NAMES}${process.pid}`;
const OTHER = `${PROJECT}-other`;
const READ_ONLY = `${PROJECT}-read-only`;
const root = fileURLToPath(new URL('../..', import.meta.url));
const missing = engineMissing();

if (missing !== null) process.stderr.write(`compose test skipped: ${missing}\n`);

function run(file: string, args: readonly string[], environment: NodeJS.ProcessEnv): string {
  const env = { ...process.env, ...environment };
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26, env } as const;
  const { stdout, stderr, status, error } = spawnSync(file, args, options);
  if (error !== undefined || status !== 0) throw new Error(`${file} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}

function docker(...args: readonly string[]): string {
  return run('docker', args, { CORES: '4' });
}

const TOKEN = 'a-token-for-metrics';
const folder = missing === null ? mkdtempSync(join(tmpdir(), 'mk-compose-')) : '';
const certificates = join(folder, 'tls');
const GUARDED = {
  CORES: '4',
  MK_TLS_FOLDER: certificates,
  MK_METRICS_TOKEN: TOKEN,
  MK_UI_PORT: '7070',
  MK_UI_NAME: 'skb',
};

function compose(...args: readonly string[]): string {
  return run('docker', ['compose', '--project-name', PROJECT, ...args], GUARDED);
}

/** Runs a Node script in a container; returns what it prints, parsed as JSON. */
function inContainer<T>(service: string, script: string): T {
  return JSON.parse(compose('exec', '-T', service, 'node', '-e', script)) as T;
}

/** Certificates of all processes, readable for containers, which run as another user. */
function makeCertificates(): void {
  run(process.execPath, [builtProgram('mk-launch.cjs'), 'certs', certificates, '--cores', '4', '--any-core'], {});
  chmodSync(certificates, 0o755);
  for (const file of readdirSync(certificates)) chmodSync(join(certificates, file), 0o644);
  rmSync(join(certificates, 'ca.key'));
}

/** Requests a core's page in several ways; each ends with a status or without an answer. */
const ASK_METRICS = `
const fs = require('node:fs'), https = require('node:https'), http = require('node:http');
const read = (name) => fs.readFileSync('/run/mk-tls/' + name);
const shown = { ca: read('ca.pem'), cert: read('client.pem'), key: read('client.key'), checkServerIdentity: () => undefined };
const token = { authorization: 'Bearer ${TOKEN}' };
const ask = (module, path, options) => new Promise((resolve) => {
  const request = module.get({ host: 'core', port: 7000, path, agent: false, ...options }, (response) => {
    let text = '';
    response.on('data', (chunk) => (text += chunk)).on('end', () => resolve([response.statusCode, /^mk_/m.test(text)]));
  });
  request.on('error', () => resolve(['no answer', false]));
});
(async () => {
  const { cert, key, ...foreign } = shown;
  process.stdout.write(JSON.stringify({
    plain: await ask(http, '/metrics', { headers: token }),
    noCertificate: await ask(https, '/metrics', { ...foreign, headers: token }),
    noToken: await ask(https, '/metrics', shown),
    healthNoToken: await ask(https, '/healthz', shown),
    wrongToken: await ask(https, '/metrics', { ...shown, headers: { authorization: 'Bearer no' } }),
    both: await ask(https, '/metrics', { ...shown, headers: token }),
  }));
})();`;

/** Opens the page like a browser until it has received what it waits for: the statuses, and the kinds of events. */
const OPEN_PAGE = `
const http = require('node:http');
const place = { host: 'skb', port: 7070, agent: false };
const get = (headers) => new Promise((resolve) => http.get({ ...place, path: '/', headers }, (response) => {
  let text = '';
  response.on('data', (chunk) => (text += chunk)).on('end', () => resolve([response.statusCode, text.includes('<html')]));
}));
const events = (origin) => new Promise((resolve) => {
  const headers = { origin, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  const request = http.get({ ...place, path: '/events', headers }, (response) => resolve(response.statusCode));
  request.on('upgrade', (_response, socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const told = ['hello', 'cores'].filter((type) => text.includes('"type":"' + type + '"'));
      if (told.length === 2) { socket.destroy(); resolve(told); }
    });
  });
});
(async () => process.stdout.write(JSON.stringify({
  page: await get({}), foreignName: await get({ host: 'evil.example' }),
  events: await events('http://skb:7070'), foreignOrigin: await events('http://evil.example'),
})))();`;

/** Takes a project down, including its volumes and image. */
function forget(project: string): void {
  docker('compose', '--project-name', project, 'down', '--volumes', '--rmi', 'all', '--timeout', '1');
  // Without containers Compose keeps an earlier run's image, which would then be tested.
  spawnSync('docker', ['image', 'rm', '--force', `mk-${project}`], { stdio: 'ignore' });
}

/** Takes down the remains of interrupted runs. */
function forgetEarlierRuns(): void {
  const projects = JSON.parse(docker('compose', 'ls', '--all', '--format', 'json')) as { Name: string }[];
  for (const { Name } of projects) {
    const pid = Name.startsWith(NAMES) ? Number.parseInt(Name.slice(NAMES.length), 10) : Number.NaN;
    if (pid > 0 && !existsSync(`/proc/${pid}`)) forget(Name);
  }
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

interface View {
  readonly members: readonly { readonly core: number; readonly incarnation: number }[];
}

interface CoreRow {
  readonly core: number;
  readonly links: number;
  readonly up: boolean;
}

/** Waits until this many cores are all bound to one another; their rows. */
function meshOf(cores: number): Promise<CoreRow[]> {
  return eventually(`a mesh of ${cores}`, () => {
    const rows = mkctl<CoreRow[]>('cores');
    return rows.length === cores && rows.every(({ links, up }) => up && links === cores - 1) ? rows : null;
  });
}

/**
 * Each container's log, checked against the schema; a restarted container's log holds the lines of several processes.
 */
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

/** Like jq's `fromjson?`: skips Compose's own lines. Another test checks that each line of a container is JSON. */
function fromJson(text: string): readonly CheckedLine[] {
  try {
    return [JSON.parse(text) as CheckedLine];
  } catch {
    return [];
  }
}

(missing === null ? describe : describe.skip)('docker compose', () => {
  beforeAll(() => {
    forgetEarlierRuns();
    makeCertificates();
  });

  afterAll(() => {
    for (const project of [PROJECT, OTHER, READ_ONLY]) forget(project);
    rmSync(folder, { recursive: true });
  });

  test('up, on an engine without the image: it is built once, and the SKB and four cores are bound to one another', async () => {
    compose('up', '--detach');
    expect(docker('image', 'ls', '--quiet', `mk-${PROJECT}`).trim().split('\n')).toHaveLength(1);
    const rows = await meshOf(4);
    expect(rows.map(({ core }) => core)).toEqual([0, 1, 2, 3]);
    await eventually('every container healthy', () => {
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

  test('the processes are not root, and the secret is readable by them alone', () => {
    expect(compose('exec', '-T', 'skb', 'id', '-u').trim()).not.toBe('0');
    expect(compose('exec', '-T', 'core', 'stat', '-c', '%a %U', '/run/mk/secret').trim()).toBe('600 node');
  });

  test('links and control speak TLS with who shows a certificate, and metrics want the token besides', () => {
    expect(inContainer('skb', ASK_METRICS)).toEqual({
      plain: [403, false],
      noCertificate: [403, false],
      noToken: [401, false],
      healthNoToken: [401, false],
      wrongToken: [401, false],
      both: [200, true],
    });
    expect(compose('exec', '-T', 'skb', 'mkctl', 'ping', '0', '3')).toContain('core 0 → 3');
  });

  test('MK_UI_PORT: the page of a cluster that speaks TLS, under its name alone', () => {
    expect(inContainer('core', OPEN_PAGE)).toEqual({
      page: [200, true],
      foreignName: [403, false],
      events: ['hello', 'cores'],
      foreignOrigin: 403,
    });
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
    await eventually('the other cluster has its core', () =>
      other('exec', '-T', 'skb', 'mkctl', 'cores').includes(`${OTHER}-core-1:7000`) ? true : null,
    );
    expect(other('exec', '-T', 'skb', 'mkctl', 'oct', 'names', '_').trim()).toBe('');
    expect(compose('exec', '-T', 'skb', 'mkctl', 'oct', 'get', 'before')).toBe('before { a: 1 }\n');
    expect(mkctl<CoreRow[]>('cores')).toHaveLength(8);
    forget(OTHER);
    expect(await meshOf(8)).toHaveLength(8);
  });

  test('read_only: true works', async () => {
    const override = join(folder, 'read-only.yml');
    writeFileSync(override, 'services: { skb: { read_only: true }, core: { read_only: true } }\n');
    const files = ['--file', 'docker-compose.yml', '--file', override];
    const readOnly = (...args: readonly string[]): string =>
      docker('compose', '--project-name', READ_ONLY, ...files, ...args);
    readOnly('up', '--detach', '--scale', 'core=1');
    await eventually('its core has joined', () =>
      readOnly('exec', '-T', 'skb', 'mkctl', 'cores').includes('core-1:7000') ? true : null,
    );
    expect(readOnly('exec', '-T', 'skb', 'mkctl', 'oct', 'set', 'kept { a: 1 }')).toBe('kept { a: 1 }\n');
    forget(READ_ONLY);
  });

  test('a core that is killed leaves the view, operations go on, and the one that Compose starts for it is a new incarnation', async () => {
    const { members } = mkctl<View>('view');
    const victim = containers().find(({ Name }) => Name.includes('core'))!.Name;
    const before = mkctl<{ core: number; address: string }[]>('cores').find(({ address }) =>
      address.startsWith(`${victim}:`),
    )!;
    docker('kill', '--signal', 'KILL', victim);
    const after = await eventually('a view without it', () => {
      const view = mkctl<View>('view');
      return view.members.length === 7 ? view : null;
    });
    expect(members.map(({ core }) => core)).toContain(before.core);
    expect(after.members.map(({ core }) => core)).not.toContain(before.core);
    expect(compose('exec', '-T', 'skb', 'mkctl', 'audit')).toContain('every invariant holds');
    compose('exec', '-T', 'skb', 'mkctl', 'oct', 'set', 'meanwhile { a: 2 }');
    const [one, other] = after.members.map(({ core }) => String(core));
    expect(compose('exec', '-T', 'skb', 'mkctl', 'ping', one!, other!)).toContain(`core ${one} → ${other}`);
    compose('up', '--detach', '--scale', 'core=8', '--no-recreate');
    expect(await meshOf(8)).toHaveLength(8);
    const back = await eventually('a view with it', () => {
      const view = mkctl<View>('view');
      return view.members.length === 8 ? view : null;
    });
    expect(back.members.find(({ core }) => core === before.core)!.incarnation).toBeGreaterThan(1);
    expect(compose('exec', '-T', 'skb', 'mkctl', 'audit')).toContain('every invariant holds');
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

  test('up --scale core=3: most leave at once, and who is left goes on as the whole cluster', async () => {
    compose('up', '--detach', '--scale', 'core=3', '--no-recreate');
    await eventually('a view of three', () => (mkctl<View>('view').members.length === 3 ? true : null));
    expect(await meshOf(3)).toHaveLength(3);
    expect(compose('exec', '-T', 'skb', 'mkctl', 'audit')).toContain('every invariant holds');
    expect(compose('exec', '-T', 'skb', 'mkctl', 'oct', 'get', 'meanwhile')).toBe('meanwhile { a: 2 }\n');
  });

  // A container that outlasts its grace period of 5 s is killed with status 137.
  test('down: within 5 s, each process by itself and with a clean status, nothing left', () => {
    compose('stop');
    const statuses = containers().map(({ Name }) => docker('inspect', '--format', '{{.State.ExitCode}}', Name).trim());
    expect(statuses).toEqual(Array.from({ length: 4 }, () => '0'));
    compose('down', '--volumes');
    for (const kind of ['container', 'network', 'volume']) {
      const all = kind === 'container' ? ['--all'] : [];
      expect(docker(kind, 'ls', ...all, '--quiet', '--filter', `label=com.docker.compose.project=${PROJECT}`)).toBe('');
    }
  });
});
