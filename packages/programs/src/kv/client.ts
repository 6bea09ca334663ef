import { known } from '../common/known.ts';
import type { Client } from '@mk/libmk/channels/client';
import type { HeldLock } from '@mk/libmk/octopus/lock';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { endWithParent } from '../common/parent.ts';
import { KEYS, names, Replica, Report } from './interfaces.ts';

type ReplicaClient = Client<typeof Replica.methods>;

const CALL_NS = 2e9;
const PAUSE_NS = 150e6;
/** A lock not acquired by then is requested again: its place in the queue may be lost. */
const LOCK_NS = 30e9;

/**
 * The replicas as a whole: a majority's answers count. A replica that is gone stays gone, so majorities always meet.
 */
export class Quorum {
  constructor(
    private readonly mk: Mk,
    private readonly replicas: readonly (ReplicaClient | null)[],
  ) {}

  static async of(mk: Mk, run: string, count: number): Promise<Quorum> {
    const bound = Array.from({ length: count }, (_, index) =>
      mk.bind(names.replica(run, index), Replica, { timeoutNs: 10e9 }).catch(() => null),
    );
    return new Quorum(mk, await Promise.all(bound));
  }

  /** A majority's newest value. */
  async read(key: string, token: number): Promise<number> {
    const answers = await this.majority((replica) => replica.read({ key, token }, { timeoutNs: CALL_NS }));
    return answers.reduce((best, answer) => (answer.version > best.version ? answer : best)).value;
  }

  /** Resolves when a majority has stored it. */
  async write(key: string, value: number, token: number): Promise<void> {
    await this.majority((replica) => replica.write({ key, value, token }, { timeoutNs: CALL_NS }));
  }

  private async majority<T>(ask: (replica: ReplicaClient) => Promise<T>): Promise<readonly T[]> {
    const answers: T[] = [];
    const all = this.replicas.map(async (replica) => {
      if (replica !== null) answers.push(await ask(replica));
    });
    const results = await Promise.allSettled(all);
    if (answers.length * 2 > this.replicas.length) return answers;
    const refused = results.find((result) => result.status === 'rejected');
    throw this.mk.error(
      'NO_MAJORITY',
      `${answers.length} of ${this.replicas.length} replicas: ${String(refused?.reason ?? 'gone')}`,
    );
  }
}

/** Increments counters under a lock; each increment is a read and a write by a majority. */
export async function client(mk: Mk): Promise<number> {
  const [, run = '', index = '0', replicas = '3', rounds = '1'] = mk.args;
  endWithParent(mk, run);
  const quorum = await Quorum.of(mk, run, Number(replicas));
  let acknowledged = 0;
  let attempted = 0;
  const seen = new Map<string, number>();
  for (let n = Number(rounds); n > 0; n -= 1) {
    const key = known(KEYS[mk.randomInt(KEYS.length)]);
    const lock = await locked(mk, names.lock(run, key));
    if (lock === null) continue;
    try {
      const value = await quorum.read(key, lock.token);
      mk.assert(value >= (seen.get(key) ?? 0), `${key} was ${seen.get(key)} and is ${value}`);
      attempted += 1;
      await quorum.write(key, value + 1, lock.token);
      acknowledged += 1;
      seen.set(key, value + 1);
    } catch (error) {
      if (isMkError(error, 'ASSERTION_FAILED')) throw error; // refused, or no majority: it may have happened
    }
    await lock.release().catch(() => undefined);
    await mk.sleep(mk.randomInt(PAUSE_NS));
  }
  const report = await mk.bind(names.report(run), Report, { timeoutNs: 30e9 });
  await report.done({ client: Number(index), acknowledged, attempted }, { timeoutNs: 30e9 });
  return 0;
}

/** The lock; null if it was not acquired in time, or its place in the queue was lost. */
async function locked(mk: Mk, name: string): Promise<HeldLock | null> {
  const giveUp = mk.cancellation();
  const patience = mk.threads.spawn('patience', async ({ signal }) => {
    await mk.sleep(LOCK_NS, { signal });
    giveUp.cancel('the lock was not had in time');
  });
  try {
    return await mk.octopus.lock(name, { signal: giveUp.signal });
  } catch {
    return null;
  } finally {
    patience.cancel();
    await patience.join().catch(() => undefined);
  }
}
