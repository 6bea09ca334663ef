import { X509Certificate } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, type ConnectOptions } from '@mk/libmk/io/connect';
import { accessOf, callControl, fetchText } from '@mk/libmk/io/control-call';
import { Authority } from '@mk/launcher/tls/authority';
import { SkbClient } from '@mk/libmk/io/skb-client';
import { TlsEnd, type TlsSettings } from '@mk/monitor-proto/io/tls';
import { ClusterPlace, type Outcome, type ReadyMessage, until } from './running-cluster.ts';

/** One cluster over mutual TLS, and everybody it must keep out. */
const place = new ClusterPlace();
/** A cluster of one core without TLS. */
const otherPlace = new ClusterPlace();
const folder = join(place.state, 'tls');
const revoked = join(folder, 'revoked.txt');
const PLAIN_TOKEN = 'look-at-it';
let ready: ReadyMessage;
let plain: ReadyMessage;
let authority: Authority;
let stranger: Authority;

beforeAll(async () => {
  authority = await Authority.create('mk', 30);
  stranger = await Authority.create('mk', 30);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'ca.pem'), authority.ca);
  writeFileSync(revoked, '# serial numbers, one a line\n');
  for (const name of ['skb', 'launcher', 'client', 'core-0', 'core-1', 'core-2']) {
    const { cert, key } = await authority.issue([name], 30);
    writeFileSync(join(folder, `${name}.pem`), cert);
    writeFileSync(join(folder, `${name}.key`), key);
  }
  const launcher = place.start('mk-launch.cjs', ['--cores', '3', '--tls', folder, '--json'], {
    MK_METRICS_TOKEN: PLAIN_TOKEN,
  });
  const other = otherPlace.launch('--cores', '1');
  ready = await launcher.message<ReadyMessage>('ready');
  plain = await other.message<ReadyMessage>('ready');
});
afterAll(() => Promise.all([place.cleanUp(), otherPlace.cleanUp()]));

const addressOf = (process: string): string => ready.processes.find(({ name }) => name === process)!.address;
const secretOf = (): string => place.record()!.secret;

/** Runs something with other environment variables. */
async function within<T>(environment: Readonly<Record<string, string>>, act: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    return await act();
  } finally {
    process.env = before;
  }
}

/** The error with which libmk's `connect` rejects. */
async function refusal(options: ConnectOptions): Promise<string> {
  const address = addressOf('skb');
  return connect({ address, secret: secretOf(), ...options }).then(
    async (mk) => {
      await mk.close();
      return 'let in';
    },
    (error: unknown) => (error as Error).message,
  );
}

/** Credentials issued by the cluster's authority, or by another. */
async function issued(names: readonly string[], days = 30, by = authority): Promise<TlsSettings> {
  return { ca: authority.ca, ...(await by.issue(names, days)) };
}

/** A core's answer to this certificate. */
async function answerTo(tls: TlsSettings | null): Promise<string> {
  return callControl(addressOf('core-0'), accessOf(secretOf(), tls), 'status').then(
    () => 'let in',
    (error: unknown) => (error as Error).message,
  );
}

/** Starts a core by hand that asks for a number with somebody's certificate. */
function core(changes: object, tls: TlsSettings | null): Promise<Outcome> {
  const settings = {
    cluster: 'mk',
    secret: secretOf(),
    skb: addressOf('skb'),
    core: 5,
    listenHost: '127.0.0.1',
    listenPort: 0,
    logLevel: 'info',
    detached: true,
    ...(tls === null ? {} : { tls }),
    ...changes,
  };
  return place.start('core.cjs', [], { MK_CORE: JSON.stringify(settings) }).ended;
}

async function warned(error: string): Promise<string> {
  return until(`a line about ${error}`, async () => {
    const lines = (await place.mkctl('logs', '--event', 'link_refused', '--json')).stdout.split('\n');
    return lines.find((line) => line.includes(error));
  });
}

test('mkctl, programs and clients of the SKB speak TLS', async () => {
  expect((await place.mkctl('ping', '0', '2')).status).toBe(0);
  expect(await place.ask('bench', 'round', '--count', '1')).toMatchObject({ cores: 3 });
  expect((await place.mkctl('run', 'hello', '--on', '0-2')).stdout).toContain('core 2');
  expect((await place.mkctl('skb', 'cpu_thread(1, P, _, _).')).stdout).toContain('"P"');
  const client = await SkbClient.connect({
    cluster: 'mk',
    secret: secretOf(),
    address: addressOf('skb'),
    tls: await issued(['client']),
  });
  expect((await client.queryAll('X is 1 + 1.')).solutions).toEqual([{ bindings: { X: 2 } }]);
  await client.close();
  const direct = await place.start('mkctl.cjs', ['ping', '0', '1', '--skb', addressOf('skb'), '--tls', folder], {
    MK_SECRET: secretOf(),
  }).ended;
  expect([direct.status, direct.stderr]).toEqual([0, '']);
});

test('connect of libmk speaks TLS: by name, with texts, with a folder, as the environment says', async () => {
  const to = { address: addressOf('skb'), secret: secretOf() };
  const environment = { MK_SKB_ADDRESS: to.address, MK_SECRET: to.secret, MK_TLS_DIR: folder };
  const ways = [
    () => connect({ cluster: 'mk', stateDirectory: place.state }),
    async () => connect({ ...to, tls: await issued(['client']) }),
    () => connect({ ...to, tls: folder }),
    () => within(environment, () => connect()),
  ];
  for (const way of ways) {
    const mk = await way();
    expect(await mk.status()).toMatchObject({ cluster: 'mk', members: 3, meshComplete: true });
    expect((await mk.cores()).map(({ core, up }) => [core, up])).toEqual([0, 1, 2].map((core) => [core, true]));
    expect((await mk.query('X is 6 * 7.')).solutions).toEqual([{ bindings: { X: 42 } }]);
    await mk.close();
  }
});

test('connect that is refused says in one line who, why, and what helps', async () => {
  const client = await issued(['client']);
  const another = 'mk-launch certs makes another, beside the authority’s ca.key';
  const cases: readonly (readonly [ConnectOptions, RegExp | string])[] = [
    [{ tls: { ...client, ca: stranger.ca } }, /^CERTIFICATE_FOREIGN: .*is ca\.pem here that of this cluster\?$/],
    [{ tls: await issued(['client'], -1) }, /^CERTIFICATE_EXPIRED: that of client expired on .*; mk-launch certs/],
    [{ tls: { ...(await issued(['client'], 30, stranger)), ca: authority.ca } }, another],
    [{}, /^TLS_REQUIRED: this cluster speaks TLS; give a certificate/],
    [{ tls: await issued(['nobody', 'core-1']), secret: '11'.repeat(32) }, /^WRONG_SECRET: /],
    [{ tls: { ...client, cert: 'no PEM' } }, /^BAD_REQUEST: TLS: the certificate \(cert\) is not readable PEM/],
    [{ tls: { ...client, key: (await issued(['client'])).key } }, /^BAD_REQUEST: TLS: the key is not that of/],
    [{ tls: join(folder, 'none') }, /^BAD_REQUEST: TLS: the authority’s certificate .* mk-launch certs makes such/],
    [
      { tls: client, address: plain.processes.find(({ name }) => name === 'skb')!.address },
      /^TLS_REQUIRED: .*it speaks none; reach it without certificates$/,
    ],
  ];
  for (const [options, expected] of cases) {
    const said = await refusal(options);
    expect(said).toMatch(expected);
    expect(said).not.toContain('\n');
  }
  expect(await refusal({ tls: client })).toBe('let in');
});

test('who shows no certificate, an expired, a foreign or nobody’s is told why, and so is the log', async () => {
  const foreign = { ...(await issued(['client'], 30, stranger)), ca: authority.ca };
  expect(await answerTo(await issued(['client'], -1))).toMatch(/^CERTIFICATE_EXPIRED: that of client expired on /);
  expect(await answerTo(foreign)).toMatch(/^CERTIFICATE_FOREIGN: that of client/);
  expect(await answerTo(null)).toMatch(/^TLS_REQUIRED: this cluster speaks TLS/);
  expect(await answerTo({ ...(await issued(['client'])), ca: stranger.ca })).toMatch(/^CERTIFICATE_FOREIGN: /);
  expect(await answerTo(await issued(['client']))).toBe('let in');
  for (const error of ['CERTIFICATE_EXPIRED', 'CERTIFICATE_FOREIGN', 'TLS_REQUIRED'])
    expect(await warned(error)).toContain('"ours":true');
  const metrics = (await fetchText(addressOf('core-0'), accessOf(secretOf(), await issued(['client'])), '/metrics'))
    .body;
  expect(metrics).toMatch(/mk_connections_refused_total\{[^}]*error="CERTIFICATE_EXPIRED"[^}]*\} 1\n/);
});

test('a good certificate does not replace the secret, nor the secret a certificate', async () => {
  const secret = '00'.repeat(32);
  expect((await core({ secret }, await issued(['core-5']))).stderr).toContain('WRONG_SECRET');
  expect((await core({}, null)).stderr).toContain('TLS_REQUIRED');
});

test('a certificate for core 3 cannot speak as core 5', async () => {
  const { status, stderr } = await core({ core: 5 }, await issued(['core-3']));
  expect(status).toBe(1);
  expect(stderr).toContain('WRONG_CERTIFICATE');
  // Nor does a client's certificate make a core, or a core's certificate pass for the SKB's.
  expect((await core({ core: null }, await issued(['client']))).stderr).toContain('WRONG_CERTIFICATE');
  const asSkb = await core({ skb: addressOf('core-1') }, await issued(['core-5']));
  expect(asSkb.stderr).toContain('WRONG_CERTIFICATE');
  expect(asSkb.stderr).toContain('not for skb');
});

test('with a metrics token only its holder, or the control token’s, looks', async () => {
  const tls = await issued(['client']);
  const look = async (token: string, path: string): Promise<number> =>
    (await fetchText(addressOf('core-1'), { ...accessOf(secretOf(), tls), token }, path)).status;
  for (const path of ['/metrics', '/healthz']) {
    expect(await look('no', path)).toBe(401);
    expect(await look(PLAIN_TOKEN, path)).toBe(200);
    expect(await look(accessOf(secretOf(), null).token, path)).toBe(200);
  }
  expect((await place.mkctl('healthz')).status).toBe(0);
});

test('a revoked certificate ends its links at once and opens none; a restarted core shows its new one', async () => {
  const before = new X509Certificate(readFileSync(join(folder, 'core-2.pem')));
  const { cert, key } = await authority.issue(['core-2'], 30);
  appendFileSync(revoked, `${before.fingerprint256} # core 2\n`);
  expect(await warned('CERTIFICATE_REVOKED')).toContain('core-2');
  writeFileSync(join(folder, 'core-2.pem'), cert);
  writeFileSync(join(folder, 'core-2.key'), key);
  expect((await place.mkctl('restart', '2')).stderr).toBe('');
  await until('core 2 is back', async () => (await place.mkctl('ping', '0', '2')).status === 0);
  expect((await place.mkctl('audit')).status).toBe(0);
});

test('whoever sees first that the list of revoked certificates has changed, all that watch it hear of it', async () => {
  const list = join(folder, 'list.txt');
  writeFileSync(list, '');
  const end = new TlsEnd({ ...(await issued(['core-1'])), revoked: list });
  let heard = 0;
  const stop = end.watchRevoked(() => (heard += 1));
  appendFileSync(list, '1f\n');
  expect(end.isRevoked({ names: [], fingerprint: 'ff', serial: '1f' })).toBe(true);
  expect(heard).toBe(1);
  stop();
});
