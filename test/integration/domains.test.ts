import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ClusterClient } from '@mk/launcher/client/cluster-client';
import { type DispatcherRow, dispatchersOf, type DomainRow, loadProgram } from '@mk/libmk/io/domains';
import { programTextOf } from '../../scripts/bundle-program.mjs';
import { EDGES, edgeText, endOf, ENDS } from '../programs/edges.ts';
import { LARGE_REQUESTS, ONE_WITHIN } from '../programs/large-requests.ts';
import { ClusterPlace, type ReadyMessage, type Running } from './running-cluster.ts';

/** A program directly on the border, as in the simulator's tests. */
const bare = (body: string): Promise<string> =>
  programTextOf(`import { start } from './test/programs/bare-runtime.ts';\nstart(async (mk) => {\n${body}\n});`);

const PROGRAMS: Readonly<Record<string, string>> = {
  hello: `mk.print('hello ' + mk.run.args.join(' ')); await mk.sleep(1e6); mk.exit(7);`,
  sleeper: `await mk.sleep(3600e9);`,
  loop: `for (;;);`,
  promises: `for (;;) await null;`,
  // In steps that fill the heap long before a turn ends, even if everything takes ten times as long.
  heap: `const kept = []; for (;;) kept.push(Array.from({ length: 1000 }, (_, n) => ({ n, s: 'x' + n })));`,
  buffers: `const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1));`,
  throws: `throw new Error('as it happens');`,
  garbage: `for (let i = 0; i < 300; i++) mk.tell(['print', 'nonsense', '', 'invoke', '__proto__'][i % 5], i % 2 ? { a: [i] } : i, 'x');
    mk.outgoing.push(null, 7, 'text', [1], [1, 2, 3], [-1, 'nop', []], [2, 'nop', { length: 1e9 }], [3, 'nop', [() => 0]]);
    try { mk.now('nonsense', 1); } catch (error) { mk.print('now: ' + error.message); }
    mk.print('invoked: ' + (await mk.call('invoke', { operation: 'delete', target: 'nothing' }).catch((e) => e.message)));
    mk.exit(0);`,
  million: `const nop = [0, 'nop', []];
    for (let i = 0; i < 1e6; i++) mk.outgoing.push(nop);
    const { calls } = await mk.call('run_time');
    mk.exit(calls > 1e6 ? 0 : 1);`,
  at_once: `for (let i = 0; i < 1e5; i++) mk.now('nop');
    mk.exit(0);`,
  escapes: `const tries = [
      () => globalThis.constructor.constructor('return process')(),
      () => mk.call.constructor('return process')(),
      () => typeof process, () => typeof globalThis.require, () => typeof setTimeout, () => typeof fetch, () => console.log.constructor('return process')(),
      () => new WeakRef({}), () => new FinalizationRegistry(() => 0), () => new SharedArrayBuffer(8), () => Atomics.wait,
      () => eval('1'), () => new Function('return 1')(), () => Intl, () => new WebAssembly.Memory({ initial: 1 }),
    ];
    for (const f of tries) { let said; try { said = String(f()); } catch (error) { said = 'threw'; } mk.print(said); }
    let foreign = 'no';
    const told = (error) => { if (typeof error === 'object' && !(error instanceof Error)) foreign = 'yes'; };
    await Promise.race([import('node:fs').then(() => { foreign = 'imported'; }, told), mk.sleep(2e8)]);
    const deep = (n) => { try { deep(n + 1); } catch (error) { told(error); } try { if (n % 500 === 0) mkBorder.callNow('nop', []); } catch (error) { told(error); } };
    deep(0);
    Error.prepareStackTrace = (_error, sites) => sites;
    for (const site of new Error().stack) { const f = site.getFunction(); if (f !== undefined && !(f instanceof Function)) foreign = 'function'; }
    Error.prepareStackTrace = undefined;
    mk.print('foreign: ' + foreign); mk.exit(0);`,
};

/** Misbehaving programs, and the cause that ends their domains. */
const CAUSES: readonly (readonly [program: string, cause: string])[] = [
  ['loop', 'OVERRUN'],
  ['promises', 'OVERRUN'],
  ['heap', 'OUT_OF_HEAP'],
  ['buffers', 'UNCAUGHT'],
  ['throws', 'UNCAUGHT'],
];

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe.each(['thread', 'process'])('programs on a running cluster, isolation by %s', (isolation) => {
  const place = new ClusterPlace();
  let ready: ReadyMessage;
  let launcher: Running;
  let cluster: ClusterClient;

  beforeAll(async () => {
    const booted = await place.boot('--cores', '3', '--name', `dom-${isolation}`, '--isolation', isolation);
    ({ ready, launcher } = booted);
    process.env['MK_STATE_DIR'] = place.state;
    cluster = ClusterClient.open({ cluster: `dom-${isolation}` });
    for (const [name, body] of Object.entries(PROGRAMS)) await loadProgram(cluster, 0, name, await bare(body));
  });
  afterAll(() => place.cleanUp());

  const spawn = async (program: string, core: number, args: readonly string[] = []): Promise<string> =>
    ((await cluster.core(0, 'domain_spawn', { program, core, args })) as { domain: string }).domain;
  const wait = async (domain: string): Promise<DomainRow> =>
    (await cluster.core(Number(domain.split('.')[0]), 'domain_wait', { domain }, { timeoutMs: 600_000 })) as DomainRow;

  test('a program runs on another core than it was given to, and its status is known everywhere', async () => {
    const domain = await spawn('hello', 2, ['from', 'afar']);
    expect(await wait(domain)).toMatchObject({ cause: 'exited', status: 7 });
    const waited = await place.mkctl('wait', domain, '--cluster', `dom-${isolation}`);
    expect(waited).toMatchObject({ status: 7, stdout: `${domain} has ended: exited 7\n` });
  });

  test('ps shows domains, and kill ends them', async () => {
    const domain = await spawn('sleeper', 1);
    const listed = await place.mkctl('ps', '--domains', '--cluster', `dom-${isolation}`);
    expect(listed.stdout).toMatch(new RegExp(`${domain.replaceAll('.', '\\.')} .*sleeper .*running`));
    const killed = await place.mkctl('kill', domain, '--cluster', `dom-${isolation}`);
    expect(killed).toMatchObject({ status: 0, stdout: `${domain} is KILLED: asked for over the control port\n` });
  });

  test.each(CAUSES)('%s ends with %s, and hurts nobody else', async (program, cause) => {
    const domain = await spawn(program, 1);
    const neighbour = await spawn('hello', 1, ['beside', program]);
    expect(await wait(domain)).toMatchObject({ cause, status: 1 });
    expect(await wait(neighbour)).toMatchObject({ cause: 'exited', status: 7 });
    expect(await cluster.core(0, 'ping', { core: 1, count: 5 })).toMatchObject({ core: 1 });
    expect(ready.cores).toBe(3);
  });

  test('programs as a stranger would try them end by name, as in the simulator', async () => {
    for (const edge of EDGES) await loadProgram(cluster, 0, edge.name, await edgeText(edge));
    const ends = EDGES.map(async ({ name }) => endOf(name, await wait(await spawn(name, 0))));
    expect(await Promise.all(ends)).toEqual(ENDS);
  });

  test('a large request that a built-in takes ends its dispatcher at most, however full the heap is', async () => {
    const source = `export const main = async (mk) => {${ONE_WITHIN}};`;
    await loadProgram(cluster, 0, 'within', await edgeText({ name: 'within', source }));
    const { pid } = ready.processes.find(({ name }) => name === 'core-1')!;
    expect(await wait(await spawn('within', 1, ['-1']))).toMatchObject({ cause: 'exited', status: 0 });
    for (const [i, { within }] of LARGE_REQUESTS.entries()) {
      if (within === undefined) continue;
      const { cause, text } = await wait(await spawn('within', 1, [String(i)]));
      expect({ within, cause, text }).toEqual({
        within,
        cause: expect.stringMatching(/^(exited|OUT_OF_HEAP|OVERRUN)$/),
        text,
      });
    }
    expect(process.kill(pid, 0)).toBe(true);
    expect(await cluster.core(0, 'ping', { core: 1, count: 1 })).toMatchObject({ core: 1 });
  });

  test('garbage is refused call by call', async () => {
    expect(await wait(await spawn('garbage', 1))).toMatchObject({ cause: 'exited', status: 0 });
  });

  test.each(['million', 'at_once'])(
    '%s: calls without end are served, while the core serves others',
    async (program) => {
      const domain = await spawn(program, 1);
      const trips = (await cluster.core(0, 'ping', { core: 1, count: 20 })) as { core: number };
      expect(trips.core).toBe(1);
      expect(await wait(domain)).toMatchObject({ cause: 'exited', status: 0 });
    },
  );

  test('nothing of the host can be reached', async () => {
    const domain = await spawn('escapes', 2);
    expect(await wait(domain)).toMatchObject({ cause: 'exited', status: 0 });
    await until(() => launcher.stdout.includes('foreign: '));
    const said = launcher.stdout
      .split('\n')
      .filter((line) => line.includes('"program_output"') && line.includes(`"${domain}"`))
      .map((line) => (JSON.parse(line) as { readonly text: string }).text);
    const absent = ['undefined', 'undefined', 'undefined', 'undefined'];
    expect(said).toEqual([
      ...[
        'threw',
        'threw',
        ...absent,
        'threw',
        'threw',
        'threw',
        'threw',
        'undefined',
        'threw',
        'threw',
        'threw',
        'threw',
      ],
      'foreign: no',
    ]);
  });

  test('the threads and processes of programs that ended are gone', async () => {
    const rows: readonly DispatcherRow[] = await dispatchersOf(cluster);
    expect(rows).toEqual([]);
  });
});
