import { createHmac } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { KnowledgePlace } from './knowledge-place.ts';
import { until } from './running-cluster.ts';

/*
 * No request may kill a process: whatever a client or the holder of the control token sends to the SKB, a core or the
 * supervisor is answered, and the process runs on.
 */
const cluster = new KnowledgePlace();

// No session may end because the host is busy.
beforeAll(() => cluster.boot(2, '--session-timeout', '1d'));
afterAll(async () => {
  expect(await cluster.end()).toEqual({ status: 0, left: [] });
});

/** Names that every plain object inherits, and values whose conversion to text throws. */
const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'x'.repeat(100_000)];
const VALUES: readonly string[] = [
  ...NAMES.map((name) => JSON.stringify(name)),
  '{"toString":1}',
  '{"__proto__":{"x":1}}',
  '[["text"]]',
  '[]',
  'null',
  'true',
  '-1',
  '1e308',
  '9007199254740993',
  '"\\ud800"',
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
];
const ARGUMENTS = [
  'form',
  'kind',
  'root',
  'core',
  'cores',
  'count',
  'bytes',
  'request',
  'goal',
  'target',
  'rule',
  'id',
].concat(['plan', 'phases', 'invocation', 'domain', 'slot', 'type', 'op', 'time_limit_ms', 'max_solutions', 'for_ms']);
/** Well-formed, these would end or change the cluster. */
const NOT_ASKED = ['shutdown', 'crash', 'restart', 'hang', 'add_cores', 'measure', 'octopus_told'];

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Addresses {
  readonly secret: string;
  readonly supervisor: { readonly address: string };
  readonly processes: readonly { readonly name: string; readonly address: string }[];
}

function recorded(): Addresses {
  return cluster.place.record()! as unknown as Addresses;
}

function addressOf(process: string): string {
  const { processes, supervisor } = recorded();
  return (processes.find(({ name }) => name === process) ?? supervisor).address;
}

async function ask(process: string, body: string): Promise<Answer> {
  const token = createHmac('sha256', Buffer.from(recorded().secret, 'hex')).update('mk control').digest('hex');
  const answer = await fetch(`http://${addressOf(process)}/control`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body,
  });
  return { status: answer.status, text: await answer.text() };
}

async function verbsOf(process: string): Promise<readonly string[]> {
  const { text } = await ask(process, '{"verb":"?"}');
  const verbs = / knows ([\w, ]+)/.exec(text)![1]!.split(', ');
  return verbs.filter((verb) => !NOT_ASKED.includes(verb));
}

test.each(['skb', 'core-0', 'supervisor'])('every verb of %s answers whatever its arguments are', async (process) => {
  const before = cluster.place.record()!.processes.map(({ pid }) => pid);
  const verbs = [...(await verbsOf(process)), ...NAMES.map((name) => name.slice(0, 200))];
  for (const verb of verbs) {
    const bodies = VALUES.flatMap((value) => [
      ...ARGUMENTS.map((name) => `{${JSON.stringify(name)}:${value}}`),
      `{"root":0,"kind":"unicast","form":${value}}`,
      `{"request":{"type":${value}}}`,
      `{"request":{"type":"set","record":${value},"trigger":${value}}}`,
      `{"request":{"type":"get","query":"_","trigger":{"id":1,"inCase":${value},"mode":0}}}`,
      `{"rule":{"kind":"link","from":${value},"to":1,"settings":${value}}}`,
      `{"rule":{"kind":"link","from":0,"to":1,"settings":{"__proto__":1,"constructor":${value}}}}`,
      value,
    ]);
    const answers = await inGroups(bodies, (args) => ask(process, `{"verb":${JSON.stringify(verb)},"args":${args}}`));
    for (const { status, text } of answers) {
      expect([200, 400, 413]).toContain(status);
      expect(text).not.toContain('"INTERNAL"');
    }
  }
  expect(cluster.place.record()!.processes.map(({ pid }) => pid)).toEqual(before);
  expect(cluster.place.processes()).toEqual(expect.arrayContaining(before));
  expect(await cluster.place.ask('bench', 'round', '--count', '1')).toMatchObject({ cores: 2 });
});

test.each(['skb', 'core-0', 'supervisor'])('%s leaves it to a client to close an idle connection', async (process) => {
  const answer = await fetch(`http://${addressOf(process)}/healthz`);
  await answer.text();
  expect(answer.headers.get('keep-alive')).toBe('timeout=75'); // with Node's default of 5 s, requests were lost on a busy host
});

/** WebSocket upgrades that are refused, requests that are read or not, and text that is not HTTP. */
const OPENING = 'Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';
const BEGINNINGS = [
  `GET /healthz HTTP/1.1\r\n${OPENING}\r\n`,
  `GET /link HTTP/1.1\r\n${OPENING}Sec-WebSocket-Key: no\r\n\r\n`,
  `GET /link HTTP/1.1\r\n${OPENING}Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\nMk-First-Frame: !\r\n\r\n`,
  `GET /link HTTP/1.1\r\n${OPENING}Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\nX: y\r\n\r\n`,
  'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10),
  'POST /control HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{',
  '\0\0\0\0',
];

test.each(['skb', 'core-0', 'supervisor'])('%s outlives clients that reset their connections', async (process) => {
  const { hostname, port } = new URL(`http://${addressOf(process)}`);
  for (const beginning of BEGINNINGS)
    for (const turns of [0, 1, 4, 16])
      await Promise.all(Array.from({ length: 16 }, () => begun(hostname, Number(port), beginning, turns)));
  expect(await fetch(`http://${hostname}:${port}/healthz`).then(({ status }) => status)).toBe(200);
  expect(await refusalOf(hostname, Number(port), `GET / HTTP/1.1\r\nX: ${'x'.repeat(50_000)}\r\n\r\n`)).toContain(
    ' 431 ',
  );
  expect(await refusalOf(hostname, Number(port), 'no HTTP\r\n\r\n')).toContain(' 400 ');
});

/** Resets the connection this many turns of the event loop after sending something. */
function begun(host: string, port: number, text: string, turns: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.write(text);
      const later = (left: number): void => {
        if (left > 0) return void setImmediate(() => later(left - 1));
        socket.resetAndDestroy();
      };
      later(turns);
    });
    socket.on('error', () => undefined).on('close', () => resolve());
  });
}

function refusalOf(host: string, port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host, port }, () => socket.write(text));
    socket.on('data', (bytes) => (answer += bytes.toString()));
    socket.on('error', () => undefined).on('close', () => resolve(answer));
  });
}

async function inGroups<T>(bodies: readonly T[], act: (body: T) => Promise<Answer>): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let at = 0; at < bodies.length; at += 32)
    answers.push(...(await Promise.all(bodies.slice(at, at + 32).map(act))));
  return answers;
}

test('a request that ended one life of the SKB is refused by name in the next, whoever sends it', async () => {
  const client = await cluster.client();
  const file = join(cluster.dataDir, 'poisoned.json');
  expect((await cluster.place.mkctl('crash', 'skb')).status).toBe(0);
  const request = `octopus ${JSON.stringify({ type: 'set', record: 'poison' })}`;
  writeFileSync(file, JSON.stringify([{ request, error: 'a test', at: '' }, { request: 'query X = 1' }]));
  expect((await cluster.place.mkctl('restart', 'skb')).status).toBe(0);
  await expect(client.octopus.set('poison')).rejects.toMatchObject({ name: 'POISONED' });
  await expect(client.queryAll('X = 1')).rejects.toMatchObject({ name: 'QueryPoisoned' });
  expect(await client.octopus.exists('poison')).toBe(false);
  expect((await client.octopus.set('other')).name).toBe('other');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveLength(2);
});

test('a query that fills the memory until the host kills the SKB does not end the next life too', async () => {
  const client = await cluster.client();
  const goal = 'X is 2 ** 100000000, Y is X mod 7';
  const asked = client.queryAll(goal, { timeLimitMs: 30_000 });
  const outcome = asked.catch((error: Error) => error.name);
  await until('it has grown', () => existsSync(join(cluster.dataDir, 'under-way-query.json')));
  await cluster.killSkb();
  expect(['EngineRestarted', 'QueryPoisoned']).toContain(await outcome);
  await expect(client.queryAll(goal)).rejects.toMatchObject({ name: 'QueryPoisoned' });
  await until('the log says so', async () => {
    const { stdout } = await cluster.place.mkctl('logs', '--event', 'request_failed');
    return stdout.includes('the SKB died, and it had grown by');
  });

  // A kill alone is no evidence against a query.
  const loop = client.queryAll('repeat, fail', { timeLimitMs: 5_000 }).catch((error: Error) => error.name);
  await cluster.killSkb();
  await loop;
  await expect(client.queryAll('repeat, fail', { timeLimitMs: 100 })).rejects.toMatchObject({ name: 'QueryTimeLimit' });
});

test('a program in pieces that is too long is refused whole; what follows it is not taken for a program', async () => {
  const client = await cluster.client();
  const text = `first(1).\n${'% comment\n'.repeat(120_000)}\nlast(1).\n`;
  await expect(client.setRules('long', text)).rejects.toMatchObject({ name: 'QueryTooLong' });
  await expect(client.queryAll('last(X)')).rejects.toMatchObject({ name: 'QueryUnknownPredicate' });
});
