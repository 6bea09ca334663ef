import { formatCores } from '@mk/machine/duration';
import { callControl } from './control-client.ts';

/** A request to one process that has not been answered yet. */
interface Pending {
  /** `core 3`, `the SKB`, `the supervisor`. */
  readonly who: string;
  readonly address: string;
  readonly what: string;
  readonly startedAt: number;
}

/** Nobody is left in the dark for longer than two seconds: this much, and what the processes take to say whom they wait for. */
const FIRST_MS = 1200;
const AGAIN_MS = 2000;
const PROBE_MS = 600;
/** A peer that was not heard for so long, and owes an acknowledgement, is why a core waits. */
const SILENT_MS = 1000;
const MOST_PROBED = 64;

/**
 * Tells whom a command waits for, within two seconds and whenever that changes: a process that does not answer at all, or
 * one that answers and waits for others itself.
 */
export class WaitTeller {
  private readonly pending = new Set<Pending>();
  private timer: NodeJS.Timeout | null = null;
  private last = '';

  constructor(
    private readonly token: string,
    private readonly say: (text: string) => void,
  ) {}

  /** The call's own outcome; told of while it lasts. */
  async during<T>(who: string, address: string, what: string, call: () => Promise<T>): Promise<T> {
    const entry = { who, address, what, startedAt: performance.now() };
    this.pending.add(entry);
    this.schedule(FIRST_MS);
    try {
      return await call();
    } finally {
      this.pending.delete(entry);
      if (this.pending.size === 0) this.stop();
    }
  }

  private schedule(afterMs: number): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => void this.look(), afterMs);
    this.timer.unref();
  }

  private stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private async look(): Promise<void> {
    const now = performance.now();
    const late = [...this.pending].filter(({ startedAt }) => now - startedAt >= FIRST_MS - 50);
    const byProcess = new Map(late.map((entry) => [entry.who, entry]));
    const states = await Promise.all([...byProcess.values()].slice(0, MOST_PROBED).map((entry) => this.stateOf(entry)));
    this.timer = null;
    if (this.pending.size === 0) return;
    const text = describeWaits(states);
    if (text !== '' && text !== this.last) this.say(`waiting for ${text}`);
    this.last = text;
    this.schedule(AGAIN_MS);
  }

  private async stateOf({ who, address, what }: Pending): Promise<WaitState> {
    try {
      if (who === 'the supervisor') return { who, what, silent: [] };
      const verb = who.startsWith('core ') ? 'links' : 'waiting';
      const answer = await callControl(address, this.token, verb, {}, { timeoutMs: PROBE_MS });
      return { who, what, silent: silentIn(answer) };
    } catch {
      return { who, what, silent: null };
    }
  }
}

/** Whom one process waits for itself; null: it does not answer. */
interface WaitState {
  readonly who: string;
  readonly what: string;
  readonly silent: readonly number[] | null;
}

/** One clause for all processes that wait for the same. */
export function describeWaits(states: readonly WaitState[]): string {
  const clauses = new Map<string, string[]>();
  for (const { who, what, silent } of states) {
    const waits = silent === null ? 'not answer' : silent.length > 0 ? `wait for ${coresText(silent)}` : '';
    const key = JSON.stringify([what, waits]);
    clauses.set(key, [...(clauses.get(key) ?? []), who]);
  }
  return [...clauses]
    .map(([key, who]) => {
      const [what, waits] = JSON.parse(key) as [string, string];
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
  return [...(cores.length > 0 ? [coresText(cores)] : []), ...who.filter((name) => !name.startsWith('core '))].join(
    ', ',
  );
}

function coresText(cores: readonly number[]): string {
  return `core${cores.length === 1 ? '' : 's'} ${formatCores(cores)}`;
}

/** The cores that a process says it waits for: a core by its links, the SKB by name. */
function silentIn(answer: unknown): readonly number[] {
  if (!Array.isArray(answer)) return ((answer as { silent?: readonly number[] } | null)?.silent ?? []).map(Number);
  return (answer as { peer: unknown; silent_ms: number; unacknowledged: number; suspected: boolean }[])
    .filter(
      ({ suspected, silent_ms: silentMs, unacknowledged }) => suspected || (unacknowledged > 0 && silentMs > SILENT_MS),
    )
    .map(({ peer }) => Number(peer))
    .filter((core) => Number.isInteger(core));
}
