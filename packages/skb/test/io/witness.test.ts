/** A request that ends the process without a message is known to its next life; one that does not is forgotten. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { builtProgram } from '../../../../test/integration/built-programs.ts';
import { until } from '../../../../test/integration/running-cluster.ts';
import { lastRequests, Witness, WITNESS } from '../../src/io/witness.ts';

const newPlace = (): string => mkdtempSync(join(tmpdir(), 'mk-witness-'));
let witness: Witness | null = null;
afterEach(() => witness?.close());

function start(): string {
  const place = newPlace();
  witness = new Witness(place, builtProgram('skb-witness.cjs'));
  return place;
}

/** A process that does this while busy with a request, with a heap of 64 MiB. */
async function dieOver(
  request: string,
  does: string,
): Promise<{ readonly signal: string | null; readonly place: string }> {
  const place = newPlace();
  // The work of `Witness`, in a process whose own program is as small as possible.
  const script = `
    const { Worker } = require('node:worker_threads');
    const shared = new SharedArrayBuffer(16 + 65536);
    const state = new Int32Array(shared, 0, 4);
    new Worker(process.argv[1], { workerData: { shared, path: process.argv[2] } }).once('online', () => {
      state[1] = new TextEncoder().encodeInto(process.argv[3], new Uint8Array(shared, 16)).written;
      Atomics.add(state, 0, 1);
      ${does}
    });`;
  const args = [
    '--max-old-space-size=64',
    '-e',
    script,
    builtProgram('skb-witness.cjs'),
    join(place, 'under-way.json'),
    request,
  ];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const signal = await new Promise<string | null>((resolve) => child.once('close', (_code, name) => resolve(name)));
  return { signal, place };
}

/** Keeps a CPU busy: what waits is not accused. */
const worksFor = (ms: number): string => `for (const end = performance.now() + ${ms}; performance.now() < end;);`;

describe('the witness', () => {
  test('of a request that fills the heap: V8 ends the process, and the next life knows what it was busy with', async () => {
    const request = 'octopus {"type":"set","record":"’ \u{1f600} \\ud800"}';
    const { signal, place } = await dieOver(
      request,
      `const kept = []; for (;;) { kept.push(Array.from({ length: 5000 }, () => ({}))); ${worksFor(5)} }`,
    );
    expect(signal).toBe('SIGABRT');
    const [last, ...others] = lastRequests(place);
    expect(last).toMatchObject({ request, why: expect.stringMatching(/^it had been busy with it for \d+ ms$/) });
    expect(others).toEqual([]);
    expect(lastRequests(place)).toEqual([]);
  });

  test('of a request that the host kills over what it takes', async () => {
    const { signal, place } = await dieOver(
      'octopus {}',
      `while (!(require('node:fs').statSync(process.argv[2], { throwIfNoEntry: false })?.size > 0)) { ${worksFor(5)} }
      process.kill(process.pid, 'SIGKILL');`,
    );
    expect(signal).toBe('SIGKILL');
    expect(lastRequests(place)).toMatchObject([{ request: 'octopus {}' }]);
  });

  test('of one that was stopped in the middle of a request: nothing, whoever kills it then', async () => {
    const { signal, place } = await dieOver(
      'octopus {}',
      "require('node:child_process').execFileSync('sh', ['-c', 'sleep 1; kill -9 $PPID']);",
    );
    expect(signal).toBe('SIGKILL');
    expect(lastRequests(place)).toEqual([]);
  });

  test('forgets a long request that ends', async () => {
    const place = start();
    witness!.busyWith('octopus {"a":1}');
    await until('it is written down', () => {
      for (const end = performance.now() + 20; performance.now() < end;);
      return readdirSync(place).length === 1;
    });
    witness!.busyWith(null);
    await until('it is forgotten', () => readdirSync(place).length === 0);
  });

  test('says nothing of many short ones, nor between them', async () => {
    const place = start();
    let looked = 0;
    await until('some time has passed', () => {
      const startedAt = performance.now();
      for (let i = 0; i < 1000; i++) witness!.busyWith(`octopus ${i}`);
      witness!.busyWith(null);
      // A pause of the host may make one of them long; its record is gone one look later.
      const areShort = performance.now() - startedAt < WITNESS.lookMs;
      const written = readdirSync(place);
      if (areShort && looked > 0) expect(written).toEqual([]);
      looked = areShort && written.length === 0 ? looked + 1 : 0;
      return looked > 20;
    });
  });

  test('of a query that makes the process large, and of no other', () => {
    const place = start();
    witness!.queryRuns('X = 1', 10);
    expect(readdirSync(place)).toEqual([]);
    witness!.queryRuns('X is 2 ** 1000000000', 300);
    expect(lastRequests(place)).toEqual([
      { request: 'query X is 2 ** 1000000000', why: 'it had grown by 300 MiB over it' },
    ]);
    witness!.queryRuns(null, 0);
    expect(lastRequests(place)).toEqual([]);
  });
});
