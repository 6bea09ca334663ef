/*
 * Limits how much a peer may ask. Nobody is held back while nobody else asks: a core that works alone has all of the
 * machine. When others work too, a peer that asks for more than twice as much as the busiest of them, and for more than
 * a floor above any load that hurts, is throttled for a while: a token bucket filled at the floor's rate. Excess
 * requests wait their turn, in order, so an honest peer that is caught is slow, never wrong.
 */
import type { Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';

const WINDOW = limit('budgetWindowNs');
const FLOOR_PER_SECOND = limit('budgetFloorPerSecond');
/** Over two windows, the current and the previous one. */
const FLOOR = (2 * FLOOR_PER_SECOND * WINDOW) / 1e9;
const RATIONS = limit('budgetRationsNs');
const SHARE = limit('budgetShare');
/** With fewer requests of others in two windows there is no work to hurt; but see `starves`. */
const OTHERS_WORK = 4;
/** A round of this core's own that takes longer is held up: a round takes milliseconds, unless its core is away. */
export const HELD_UP: Nanos = 2 * WINDOW;

interface Account {
  window: number;
  count: number;
  before: number;
  rationedUntil: Nanos;
  tokens: number;
  filledAt: Nanos;
}

export class Meter {
  private readonly accounts = new Map<number, Account>();
  private own = newAccount();
  private ownCount = 0;

  /**
   * Charges one more request to an account. `pass`: serve it. `over`: its owner is throttled from this request on,
   * which is held. `held`: it was throttled already. `ownOperations`: operations that this core itself has begun so
   * far. `starves`: whether something of its own is held up, since a core that is kept from working asks for little,
   * but still counts as working.
   */
  ask(key: number, now: Nanos, ownOperations: number, starves: () => boolean): 'pass' | 'held' | 'over' {
    const account = this.accountOf(key);
    roll(account, now);
    account.count += 1;
    if (now < account.rationedUntil) return this.takeToken(key, now) ? 'pass' : 'held';
    const asked = account.count + account.before;
    if (asked <= FLOOR) return 'pass';
    const others = this.busiestBut(account, now, ownOperations);
    if (asked <= SHARE * others || (others < OTHERS_WORK && !starves())) return 'pass';
    account.rationedUntil = now + RATIONS;
    account.tokens = 0;
    account.filledAt = now;
    return 'over';
  }

  /** Takes a token if one held request of the account may be served now. */
  takeToken(key: number, now: Nanos): boolean {
    const account = this.accountOf(key);
    const perNano = FLOOR_PER_SECOND / 1e9;
    account.tokens = Math.min(FLOOR, account.tokens + (now - account.filledAt) * perNano);
    account.filledAt = now;
    if (account.tokens < 1) return false;
    account.tokens -= 1;
    return true;
  }

  /** The earliest time of the next token. */
  nextTokenAt(key: number, now: Nanos): Nanos {
    const { tokens } = this.accountOf(key);
    return now + Math.max(0, Math.ceil(((1 - tokens) * 1e9) / FLOOR_PER_SECOND));
  }

  forget(key: number): void {
    this.accounts.delete(key);
  }

  private busiestBut(account: Account, now: Nanos, ownOperations: number): number {
    roll(this.own, now);
    this.own.count += ownOperations - this.ownCount;
    this.ownCount = ownOperations;
    let most = this.own.count + this.own.before;
    for (const other of this.accounts.values()) {
      if (other === account || now < other.rationedUntil) continue;
      roll(other, now);
      most = Math.max(most, other.count + other.before);
    }
    return most;
  }

  private accountOf(key: number): Account {
    let account = this.accounts.get(key);
    if (account === undefined) this.accounts.set(key, (account = newAccount()));
    return account;
  }
}

function newAccount(): Account {
  return { window: 0, count: 0, before: 0, rationedUntil: 0, tokens: 0, filledAt: 0 };
}

function roll(account: Account, now: Nanos): void {
  const window = Math.floor(now / WINDOW);
  if (window === account.window) return;
  account.before = window === account.window + 1 ? account.count : 0;
  account.count = 0;
  account.window = window;
}
