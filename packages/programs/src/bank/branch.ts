import { known } from '../common/known.ts';
import type { Mk } from '@mk/libmk/program/mk';
import { insist, recordsOf } from '../common/insisting.ts';
import { endWithParent } from '../common/parent.ts';
import { ACCOUNTS, Branch, Desk, names, OPENING_BALANCE } from './interfaces.ts';

interface Change {
  readonly account: number;
  readonly delta: number;
}

/**
 * A branch: its accounts, the money held by prepared transfers, and the transfers applied. Its promise is in Octopus
 * before it says yes, each promise in a record of its own that is never rewritten, so that late news can spoil nothing.
 */
class Accounts {
  readonly balances = Array.from({ length: ACCOUNTS }, () => OPENING_BALANCE);
  readonly held = new Map<number, Change>();
  private readonly applied = new Set<number>();

  /** Whether the account can bear the change, on top of everything held already. */
  covers({ account, delta }: Change): boolean {
    let free = known(this.balances[account]) + Math.min(0, delta);
    for (const change of this.held.values()) if (change.account === account) free += Math.min(0, change.delta);
    return free >= 0;
  }

  apply(tx: number, { account, delta }: Change): void {
    if (this.applied.has(tx)) return;
    this.applied.add(tx);
    this.balances[account] = known(this.balances[account]) + delta;
  }

  has(tx: number): boolean {
    return this.applied.has(tx);
  }

  get total(): number {
    return this.balances.reduce((sum, balance) => sum + balance, 0);
  }
}

export async function branch(mk: Mk): Promise<number> {
  const [, run = '', index = '0', life = '0'] = mk.args;
  endWithParent(mk, run);
  const own = Number(index);
  const accounts = new Accounts();
  mk.always('no account is overdrawn', () => accounts.balances.every((balance) => balance >= 0));
  await remember(mk, accounts, run, own);
  const over = mk.threads.semaphore(0, 'the end of business');
  const service = await mk.export(
    names.branch(run, own, Number(life)),
    Branch,
    {
      async prepare({ tx, account, delta }) {
        const change = { account, delta };
        if (accounts.held.has(tx) || accounts.has(tx)) return { yes: true };
        if (!accounts.covers(change)) return { yes: false };
        accounts.held.set(tx, change);
        await insist(mk, () =>
          mk.octopus.set(`'${names.prepared(run, own)}${tx}' { account: ${account}, delta: ${delta} }`),
        );
        return { yes: true };
      },
      decide({ tx, commit }) {
        const change = accounts.held.get(tx);
        accounts.held.delete(tx);
        if (!commit) return {};
        mk.assert(
          change !== undefined || accounts.has(tx),
          `branch ${own} is to commit transfer ${tx}, which it has not prepared`,
        );
        if (change !== undefined) accounts.apply(tx, change);
        return {};
      },
      statement: () => ({ total: accounts.total, held: accounts.held.size }),
      close: () => over.post(),
    },
    { concurrency: 1 },
  );
  await over.wait();
  await service.close();
  return 0;
}

/** Reads back what an earlier life of this branch promised and applied. */
async function remember(mk: Mk, accounts: Accounts, run: string, own: number): Promise<void> {
  const prefix = names.prepared(run, own);
  const promised = await recordsOf(mk, prefix);
  if (promised.length === 0) return;
  const desk = await mk.bind(names.desk(run), Desk);
  for (const { name, attributes } of promised) {
    const tx = Number(name.slice(prefix.length));
    const change = { account: Number(attributes['account']), delta: Number(attributes['delta']) };
    const { outcome } = await desk.outcome({ tx });
    if (outcome === 'commit') accounts.apply(tx, change);
    else if (outcome === 'pending') accounts.held.set(tx, change);
  }
  desk.$close();
}
