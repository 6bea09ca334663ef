/**
 * A replicated key-value store: values on three cores, written by the holder of the key's lock in Octopus, with its
 * fencing token. Clients on all cores increment counters; replicas, clients and links may fail. `--rounds N`:
 * increments that each client tries.
 *
 *   KV1  what was acknowledged is never lost, as long as a majority of the replicas lives;
 *   KV2 nobody sees a value older than a reader has seen: a holder that lost the lock, knowing it or not, is refused by
 *        its token.
 */
import { roundRobin } from './common/known.ts';
import type { Mk } from '@mk/libmk/program/mk';
import type { Process } from '@mk/libmk/processes/processes';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, tell, whole, tool } from './common/arguments.ts';
import { forget, insist } from './common/insisting.ts';
import { client, Quorum } from './kv/client.ts';
import { KEYS, names, Replica, Report } from './kv/interfaces.ts';
import { replica } from './kv/replica.ts';

const REPLICAS = 3;
/** A client waits at most half a minute for each lock, and for its report. */
const END_NS = 600e9;

export const main = tool({ name: 'kv', interfaces: [Replica, Report] }, async (mk) => {
  if (mk.args[0] === 'replica') return replica(mk);
  if (mk.args[0] === 'client') return client(mk);
  return store(mk);
});

async function store(mk: Mk): Promise<number> {
  const run = mk.self.domain;
  const cores = coresOf(mk);
  const rounds = whole(mk, 'rounds', 12, 1, 100_000);
  const reports = new Map<number, { readonly acknowledged: number; readonly attempted: number }>();
  const service = await insist(mk, () =>
    mk.export(names.report(run), Report, {
      done: ({ client: who, acknowledged, attempted }) => {
        reports.set(who, { acknowledged, attempted });
        return { heard: true };
      },
    }),
  );
  const begin = (core: number, ...args: string[]): Promise<Process | null> =>
    mk.processes.spawn(null, { core, args }).catch(() => null);
  const replicas = Array.from({ length: REPLICAS }, (_, index) => roundRobin(cores, index));
  const holders = await Promise.all(replicas.map((core, index) => begin(core, 'replica', run, String(index))));
  const words = [String(REPLICAS), String(rounds)];
  const clients = await Promise.all(cores.map((core, index) => begin(core, 'client', run, String(index), ...words)));
  for (const each of clients) await each?.wait({ timeoutNs: END_NS }).catch(() => undefined);
  // A client that did not report may have done all of its work, or none.
  const acknowledged = cores.reduce((sum, _, index) => sum + (reports.get(index)?.acknowledged ?? 0), 0);
  const attempted = cores.reduce((sum, _, index) => sum + (reports.get(index)?.attempted ?? rounds), 0);
  const total = await counted(mk, run);
  if (total !== null)
    mk.assert(
      total >= acknowledged && total <= attempted,
      `${acknowledged} increments were acknowledged and ${attempted} tried, and the counters say ${total}`,
    );
  for (const holder of holders) await holder?.kill().catch(() => undefined);
  await service.close();
  await forget(mk, names.all(run));
  const found = total === null ? 'no majority of the replicas is left to say' : `the counters say ${total}`;
  tell(mk, [`${acknowledged} increments acknowledged of ${attempted} tried by ${cores.length} clients; ${found}`], {
    acknowledged,
    attempted,
    total,
    clients: cores.length,
  });
  return 0;
}

/** The sum of all counters, read as any client reads them; null: there is no majority. */
async function counted(mk: Mk, run: string): Promise<number | null> {
  const quorum = await Quorum.of(mk, run, REPLICAS);
  let total = 0;
  for (const key of KEYS) {
    const lock = await insist(mk, () => mk.octopus.lock(names.lock(run, key)));
    try {
      total += await insistShortly(mk, () => quorum.read(key, lock.token));
    } catch (error) {
      if (isMkError(error, 'NO_MAJORITY')) return null;
      throw error;
    } finally {
      await lock.release().catch(() => undefined);
    }
  }
  return total;
}

/** Links may be down for a while; a majority that is gone does not come back. */
async function insistShortly<T>(mk: Mk, what: () => Promise<T>): Promise<T> {
  for (let tries = 10; ; tries -= 1) {
    try {
      return await what();
    } catch (error) {
      if (tries === 0 || isMkError(error, 'ASSERTION_FAILED')) throw error;
      await mk.sleep(1e9);
    }
  }
}
