/**
 * A bank over several cores: transfers between branches by two-phase commit. Branches may crash: they restart elsewhere
 * from their promises in Octopus, and every transfer happens at both branches or at neither. `--rounds N`: transfers.
 *
 *   B1  the money of all branches together stays what it was at the opening (when no transfer is under way);
 *   B2  no account is overdrawn;
 *   B3  a branch commits only what it has prepared.
 *
 * The coordinator is the run: outcomes are in its memory, and a crash of its core ends the run, but not the bank's
 * books.
 */
import { known, roundRobin } from './common/known.ts';
import type { Client } from '@mk/libmk/channels/client';
import type { Mk } from '@mk/libmk/program/mk';
import type { Process } from '@mk/libmk/processes/processes';
import { branch } from './bank/branch.ts';
import { ACCOUNTS, Branch, Desk, names, OPENING_BALANCE } from './bank/interfaces.ts';
import { coresOf, tell, whole, tool } from './common/arguments.ts';
import { forget, insist } from './common/insisting.ts';

const CLERKS = 3;
const AUDITS = 4;
const CALL_NS = 4e9;
const PAUSE_NS = 200e6;

export const main = tool({ name: 'bank', interfaces: [Branch, Desk] }, async (mk) => {
  if (mk.args[0] === 'branch') return branch(mk);
  const bank = new Bank(mk, coresOf(mk));
  return bank.run(whole(mk, 'rounds', 60, 1, 100_000));
});

/** A branch as the coordinator knows it: its current life. */
interface Office {
  readonly index: number;
  life: number;
  process: Process | null;
  client: Client<typeof Branch.methods> | null;
  /** While it opens, all who need it wait for the same promise. */
  opening: Promise<Client<typeof Branch.methods>> | null;
}

type Outcome = 'commit' | 'abort' | 'pending';

class Bank {
  private readonly offices: readonly Office[];
  private readonly outcomes = new Map<number, Outcome>();
  private readonly count = { commit: 0, abort: 0, lives: 0 };
  private money: number;
  private lastTx = 0;

  constructor(
    private readonly mk: Mk,
    private readonly cores: readonly number[],
  ) {
    // With one core both branches are on it.
    this.offices = Array.from({ length: Math.max(2, cores.length) }, (_, index) => ({
      index,
      life: 0,
      process: null,
      client: null,
      opening: null,
    }));
    this.money = this.opening;
    mk.always('money is conserved', () => this.money === this.opening || `${this.money} of ${this.opening}`);
  }

  private get opening(): number {
    return this.offices.length * ACCOUNTS * OPENING_BALANCE;
  }

  async run(transfers: number): Promise<number> {
    const { mk, offices, count } = this;
    const run = mk.self.domain;
    const desk = await insist(mk, () =>
      mk.export(names.desk(run), Desk, { outcome: ({ tx }) => ({ outcome: this.outcomes.get(tx) ?? 'abort' }) }),
    );
    for (let audit = 0; audit < AUDITS; audit += 1) {
      const share = Math.floor(((audit + 1) * transfers) / AUDITS) - Math.floor((audit * transfers) / AUDITS);
      let left = share;
      const clerks = Array.from({ length: CLERKS }, (_, n) =>
        mk.threads.spawn(`clerk ${n}`, async () => {
          while (left > 0) {
            left -= 1;
            await this.transfer();
            await mk.sleep(mk.randomInt(PAUSE_NS));
          }
        }),
      );
      for (const clerk of clerks) await clerk.join();
      await this.audit();
    }
    for (const office of offices) await office.client?.close({}).catch(() => undefined);
    for (const office of offices) await office.process?.wait({ timeoutNs: CALL_NS }).catch(() => undefined);
    await desk.close();
    await forget(mk, names.all(run));
    const text = `${count.commit} transfers committed, ${count.abort} aborted, ${count.lives - offices.length} branches began again; ${this.money} of ${this.opening} there`;
    tell(mk, [text], {
      committed: count.commit,
      aborted: count.abort,
      restarted: count.lives - offices.length,
      money: this.money,
    });
    return 0;
  }

  /** One transfer between two branches: both promise, the outcome is decided, both are told. */
  private async transfer(): Promise<void> {
    const { mk, offices, outcomes } = this;
    const tx = (this.lastTx += 1);
    const from = known(offices[mk.randomInt(offices.length)]);
    const to = roundRobin(offices, from.index + 1 + mk.randomInt(offices.length - 1));
    const amount = 1 + mk.randomInt(OPENING_BALANCE - 20);
    outcomes.set(tx, 'pending');
    const votes = await Promise.all([this.prepare(from, tx, -amount), this.prepare(to, tx, amount)]);
    const commit = votes.every((vote) => vote);
    // From here on the outcome holds, whoever crashes.
    outcomes.set(tx, commit ? 'commit' : 'abort');
    this.count[commit ? 'commit' : 'abort'] += 1;
    await Promise.all([this.decide(from, tx, commit), this.decide(to, tx, commit)]);
  }

  /** A branch that cannot be asked has not promised. */
  private async prepare(office: Office, tx: number, delta: number): Promise<boolean> {
    try {
      const client = await this.open(office);
      return (await client.prepare({ tx, account: this.mk.randomInt(ACCOUNTS), delta }, { timeoutNs: CALL_NS })).yes;
    } catch {
      return false;
    }
  }

  /** Repeats the outcome until the branch has heard it; a restarted branch asks for it. */
  private async decide(office: Office, tx: number, commit: boolean): Promise<void> {
    await insist(this.mk, async () => (await this.open(office)).decide({ tx, commit }, { timeoutNs: CALL_NS }));
  }

  private async audit(): Promise<void> {
    let sum = 0;
    for (const office of this.offices) {
      const { total, held } = await insist(this.mk, async () =>
        (await this.open(office)).statement({}, { timeoutNs: CALL_NS }),
      );
      this.mk.assert(held === 0, `branch ${office.index} holds money for ${held} transfers when none is under way`);
      sum += total;
    }
    this.money = sum;
  }

  /** The client of a branch that answers; one that is gone restarts, on its own core or the next that accepts it. */
  private open(office: Office): Promise<Client<typeof Branch.methods>> {
    const { client } = office;
    if (client !== null && client.$closedBy === null) return Promise.resolve(client);
    office.opening ??= this.reopen(office).finally(() => (office.opening = null));
    return office.opening;
  }

  private async reopen(office: Office): Promise<Client<typeof Branch.methods>> {
    const { mk } = this;
    office.client = null;
    // Its channel is gone, or must go: from now on its next life hears of transfers.
    await office.process?.kill().catch(() => undefined);
    office.life += 1;
    office.process = await this.begin(office);
    this.count.lives += 1;
    const name = names.branch(mk.self.domain, office.index, office.life);
    // No use in waiting for a branch that dies with its core before it opens.
    const gone = mk.cancellation();
    void office.process.wait().then(
      () => gone.cancel(),
      () => gone.cancel(),
    );
    office.client = await mk.bind(name, Branch, { timeoutNs: 10 * CALL_NS, signal: gone.signal });
    return office.client;
  }

  private async begin({ index, life }: Office): Promise<Process> {
    const { mk, cores } = this;
    const args = ['branch', mk.self.domain, String(index), String(life)];
    let last: unknown = null;
    for (let n = 0; n < cores.length; n += 1) {
      try {
        return await mk.processes.spawn(null, { core: roundRobin(cores, index + n), args });
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}
