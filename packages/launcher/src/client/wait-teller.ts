import type { LinkRow } from '@mk/node-kernel/control/verb-answers';
import type { Access } from '@mk/libmk/io/control-call';
import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import { askProcess } from './ask.ts';
import { namedCores } from '@mk/machine/counted';

/** A pending answer, or another wait. */
interface Pending {
  /** `core 3`, `the SKB`, `the supervisor`; other waits describe themselves. */
  readonly who: string;
  readonly address: string;
  readonly what: string;
  readonly startedAt: number;
  readonly describe?: () => string | Promise<string>;
}

/**
 * Nobody stares at a silent terminal for more than two seconds: this much of the command's life and of the wait, plus
 * the time that processes take to say whom they wait for.
 */
const FIRST_MS = 1000;
const LEAST_MS = 500;
const AGAIN_MS = 2000;
const PROBE = { timeoutMs: 500 } as const;
/** A core's wait is blamed on a peer that owes an acknowledgement and has been silent this long. */
const SILENT_MS = 1000;
const MOST_PROBED = 64;
const SUPERVISOR = 'the supervisor';
/** States of a process that has been started and has not joined yet. */
const NOT_JOINED = ['starting', 'listening'];

/**
 * Says whom a command waits for, within two seconds and whenever that changes: a process that does not answer at all,
 * or one that answers but waits for others itself.
 */
export class WaitTeller {
  private readonly pending = new Set<Pending>();
  private timer: LongTimer | null = null;
  private last = '';

  constructor(
    private readonly access: Access,
    private readonly say: (text: string) => void,
  ) {}

  /** Passes on the call's outcome; reports the wait while it lasts. */
  during<T>(who: string, address: string, what: string, call: () => Promise<T>): Promise<T> {
    return this.telling({ who, address, what, startedAt: performance.now() }, call);
  }

  /** Like `during`, for other waits: `describe` says what the command currently waits for, and may ask. */
  until<T>(describe: () => string | Promise<string>, call: () => Promise<T>): Promise<T> {
    return this.telling({ who: '', address: '', what: '', startedAt: performance.now(), describe }, call);
  }

  private async telling<T>(entry: Pending, call: () => Promise<T>): Promise<T> {
    this.pending.add(entry);
    this.schedule(Math.max(LEAST_MS, FIRST_MS - entry.startedAt));
    try {
      return await call();
    } finally {
      this.pending.delete(entry);
      if (this.pending.size === 0) this.stop();
    }
  }

  private schedule(afterMs: number): void {
    if (this.timer !== null) return;
    this.timer = callAfter(afterMs, () => void this.look()).unref();
  }

  private stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  private async look(): Promise<void> {
    const now = performance.now();
    const late = [...this.pending].filter(({ startedAt }) => now - startedAt >= LEAST_MS - 50);
    const own = late.flatMap(({ describe }) => (describe === undefined ? [] : [describe]));
    const requests = late.filter(({ describe }) => describe === undefined);
    // A supervisor does several things at once; for cores and the SKB the latest request stands for all.
    const byProcess = new Map(requests.map((entry) => [keyOf(entry), entry]));
    const [told, states] = await Promise.all([
      Promise.all(own.map(async (describe) => describe())),
      Promise.all([...byProcess.values()].slice(0, MOST_PROBED).map((entry) => this.stateOf(entry))),
    ]);
    this.timer = null;
    if (this.pending.size === 0) return;
    // The command's own description says more than its pending request does.
    const text = told.length > 0 ? [...new Set(told)].join('; ') : describeWaits(states);
    if (text !== '' && text !== this.last) this.say(`waiting for ${text}`);
    this.last = text;
    this.schedule(AGAIN_MS);
  }

  /**
   * The cores that a process says it waits for: a core by its links, the supervisor by its processes, the SKB by name.
   */
  private async silentBy(who: string, address: string): Promise<readonly number[]> {
    const { access } = this;
    if (who === SUPERVISOR) {
      const rows = await askProcess('supervisor', address, access, 'ps', {}, PROBE);
      return rows
        .filter(({ state }) => NOT_JOINED.includes(state))
        .map(({ name }) => Number(name.replace('core-', '')));
    }
    if (who.startsWith('core '))
      return (await askProcess('core', address, access, 'links', {}, PROBE))
        .filter(isSilent)
        .map(({ peer }) => Number(peer));
    return (await askProcess('skb', address, access, 'waiting', {}, PROBE)).silent;
  }

  private async stateOf({ who, address, what }: Pending): Promise<WaitState> {
    try {
      return { who, what, silent: (await this.silentBy(who, address)).filter((core) => Number.isInteger(core)) };
    } catch {
      return { who, what, silent: null };
    }
  }
}

function keyOf({ who, what }: Pending): string {
  return who === SUPERVISOR ? `${who} ${what}` : who;
}

/** Whom one process waits for; null if it does not answer. */
interface WaitState {
  readonly who: string;
  readonly what: string;
  readonly silent: readonly number[] | null;
}

/** One clause for all processes that wait for the same. */
function describeWaits(states: readonly WaitState[]): string {
  const clauses = new Map<string, { readonly what: string; readonly waits: string; readonly who: string[] }>();
  for (const { who, what, silent } of states) {
    const waits = silent === null ? 'not answer' : silent.length > 0 ? `wait for ${namedCores(silent)}` : '';
    const key = JSON.stringify([what, waits]);
    const clause = clauses.get(key);
    if (clause === undefined) clauses.set(key, { what, waits, who: [who] });
    else clause.who.push(who);
  }
  return [...clauses.values()]
    .map(({ what, waits, who }) => {
      const verb =
        waits === ''
          ? ''
          : waits === 'not answer'
            ? `, which ${who.length > 1 ? 'do' : 'does'} not answer`
            : `, which ${waits.replace('wait', who.length > 1 ? 'wait' : 'waits')}`;
      return `${whoText(who)} (${what})${verb}`;
    })
    .join('; ');
}

function whoText(who: readonly string[]): string {
  const cores = who.filter((name) => name.startsWith('core ')).map((name) => Number(name.slice('core '.length)));
  return [...(cores.length > 0 ? [namedCores(cores)] : []), ...who.filter((name) => !name.startsWith('core '))].join(
    ', ',
  );
}

function isSilent({ suspected, silent_ms: silentMs, unacknowledged }: LinkRow): boolean {
  return suspected || (unacknowledged > 0 && silentMs > SILENT_MS);
}
