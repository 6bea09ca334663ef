import { randomBytes } from 'node:crypto';
import { SkbClient } from '@mk/libmk/io/skb-client';
import { acquireLock } from '@mk/libmk/octopus/lock';
import type { Octopus } from '@mk/libmk/octopus/octopus';
import { Octopus as OverCore } from '@mk/libmk/octopus/octopus';
import { octopusOfCore } from '@mk/launcher/client/core-octopus';
import type { QueryError } from '@mk/monitor-proto/knowledge/query';
import { createPrng } from '@mk/monitor-proto/prng';
import { type Operation, isLinearizable } from '../test/octopus/linearizability.ts';
import { HOSTILE, LIMITS } from '../packages/skb/test/engine/hostile-goals.ts';
import { startCluster } from './cluster.ts';

/**
 * The tests' claims about the knowledge base at full scale on real processes; tests use one process, or small numbers.
 * `npm run bench -- octopus-proof [PART] [NUMBER]`, where PART is one of those below, or all. Exits with 1 on any
 * failure.
 */
const CORES = 8;
/** Far longer than a wake-up takes on any host: later counts as lost. */
const LOST_MS = 120_000;
const BATCH = 250;

const PARTS: Readonly<Record<string, { readonly usual: number; run(count: number): Promise<string> }>> = {
  races: { usual: 100_000, run: races },
  lock: { usual: 10_000, run: handOvers },
  histories: { usual: 200, run: histories },
  hostile: { usual: 1_000, run: hostile },
};

const [part = 'all', number] = process.argv.slice(2);
if (part !== 'all' && PARTS[part] === undefined) {
  process.stderr.write(`octopus-proof: no part ${part}; there are ${Object.keys(PARTS).join(', ')}, all\n`);
  process.exit(2);
}
const secret = randomBytes(32).toString('hex');
const cluster = await startCluster(CORES, { secret });
const clients: SkbClient[] = [];
for (const [name, { usual, run }] of Object.entries(PARTS)) {
  if (part !== 'all' && part !== name) continue;
  const startedAt = performance.now();
  try {
    const said = await run(Number(number ?? usual));
    process.stdout.write(`ok    ${name}: ${said}, in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  } catch (error) {
    process.exitCode = 1;
    process.stdout.write(`FAIL  ${name}: ${(error as Error).message}\n`);
  }
  for (const client of clients.splice(0)) await client.close();
}
await cluster.stop();

/** One client waits for a record that another sets at the same moment; neither may wait for ever. */
async function races(count: number): Promise<string> {
  const [waiting, setting] = (await octopuses(2)) as [Octopus, Octopus];
  let waited = 0;
  for (let done = 0; done < count; done += BATCH) {
    const pairs = Array.from({ length: BATCH }, async (_, i) => {
      const name = `flag${done + i}`;
      const wait = (): Promise<unknown> => waiting.waitFor(name).then(() => (waited += 1));
      const set = (): Promise<unknown> => setting.set(name);
      // Two links: the host decides which request arrives first, whichever is sent first.
      await Promise.all((i & 1) === 0 ? [wait(), set()] : [set(), wait()]);
      await setting.delete(name);
    });
    await inTime(Promise.all(pairs), () => `of ${done + BATCH} waits only ${waited} were woken`);
  }
  return `${waited.toLocaleString('en')} waits that raced with their set, each was woken`;
}

/** Eight clients ask repeatedly; tickets give the order of asking. */
async function handOvers(count: number): Promise<string> {
  const tickets: number[] = [];
  let holders = 0;
  const work = (await octopuses(CORES)).map(async (octopus) => {
    for (let round = 0; round < count / CORES; round++) {
      const lock = await acquireLock(octopus, 'proof_lock');
      if ((holders += 1) > 1) throw new Error('two held the lock at once');
      tickets.push(lock.ticket);
      holders -= 1;
      await lock.release();
    }
  });
  await inTime(Promise.all(work), () => `after ${tickets.length} hand-overs nobody held the lock any more`);
  const place = tickets.findIndex((ticket, i) => ticket !== i + 1);
  if (place >= 0) throw new Error(`hand-over ${place + 1} went to ticket ${tickets[place]}`);
  return `${tickets.length.toLocaleString('en')} hand-overs among ${CORES} clients, in the order of asking, one holder at a time`;
}

/** Gets, sets, compare-and-sets and deletions of one record by the monitors of eight cores. */
async function histories(count: number): Promise<string> {
  const cores = Array.from(
    { length: CORES },
    (_, core) => new OverCore(octopusOfCore((verb, args) => cluster.ask(core, verb, args as never))),
  );
  let operations = 0;
  for (let seed = 0; seed < count; seed++) {
    let clock = 0;
    const history: Operation[] = [];
    await Promise.all(
      cores.map(async (octopus, core) => {
        const prng = createPrng(`history/${seed}/${core}`);
        for (let i = 0; i < 12; i++) {
          const call = clock++;
          const action = await act(octopus, `key${seed}`, prng.nextInt(10), prng.nextInt(4), prng.nextInt(4));
          history.push({ process: `core ${core}`, call, return: clock++, action });
        }
      }),
    );
    operations += history.length;
    if (!isLinearizable(history)) throw new Error(`history ${seed} is not linearizable: ${JSON.stringify(history)}`);
  }
  return `${count} histories of ${CORES} cores, ${operations.toLocaleString('en')} operations, each linearizable`;
}

async function act(
  octopus: Octopus,
  key: string,
  choice: number,
  value: number,
  expected: number,
): Promise<Operation['action']> {
  if (choice < 4)
    return { kind: 'get', result: ((await octopus.get(key))?.attributes['v'] as number | undefined) ?? null };
  if (choice < 6) {
    await octopus.set(`${key} { v: ${value} }`);
    return { kind: 'set', value };
  }
  if (choice === 9) return { kind: 'del', existed: await octopus.delete(key) };
  return {
    kind: 'cas',
    expected,
    value,
    succeeded: await octopus.compareAndSet(`${key} { v: ${value}, v: == ${expected} }`),
  };
}

/** A client's queries that try to escape, to fill the memory or never to end; the registry answers meanwhile. */
async function hostile(count: number): Promise<string> {
  const skb = await connect();
  const names = new Map<string, number>();
  let slowestMs = 0;
  for (let done = 0; done < count; done += HOSTILE.length) {
    const goals = HOSTILE.slice(0, count - done).map((goal) => goal(done / HOSTILE.length));
    const ended = Promise.all(
      goals.map((goal) =>
        skb.queryAll(goal, LIMITS).then(
          () => Promise.reject(new Error(`was answered: ${goal.slice(0, 80)}`)),
          ({ name }: QueryError) => void names.set(name, (names.get(name) ?? 0) + 1),
        ),
      ),
    );
    const askedAt = performance.now();
    await cluster.ask('skb', 'cores');
    await skb.octopus.set('alive');
    slowestMs = Math.max(slowestMs, performance.now() - askedAt);
    await ended;
  }
  const odd = [...names.keys()].find((name) => !/^(Query|Engine)[A-Z]/.test(name));
  if (odd !== undefined) throw new Error(`a query ended in ${odd}`);
  const { solutions } = await skb.queryAll('X = still_here');
  if (solutions[0]?.bindings['X'] !== 'still_here') throw new Error('the engine does not answer any more');
  const list = [...names].map(([name, times]) => `${times} ${name}`).join(', ');
  return `${count.toLocaleString('en')} queries ended in ${list}; meanwhile registry and Octopus answered within ${slowestMs.toFixed(0)} ms`;
}

async function connect(): Promise<SkbClient> {
  const client = await SkbClient.connect({ cluster: 'bench', secret, address: cluster.skbAddress });
  clients.push(client);
  return client;
}

async function octopuses(count: number): Promise<readonly Octopus[]> {
  return (await Promise.all(Array.from({ length: count }, connect))).map(({ octopus }) => octopus);
}

async function inTime(work: Promise<unknown>, what: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(what())), LOST_MS)));
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
