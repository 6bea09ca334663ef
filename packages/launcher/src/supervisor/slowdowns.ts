import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import type { HealTarget } from '@mk/monitor-proto/link/rule-state';
import type { LogFields } from '@mk/monitor-proto/log-events';
import { Leash } from './leash.ts';
import type { ManagedProcess } from './managed-process.ts';

/** How long a slowed process runs at a stretch, and the longest that it stands still. */
const RUN_MS = 5;
const STILL_MS = 2000;

interface Slowed {
  readonly process: ManagedProcess;
  readonly factor: number;
  readonly leash: Leash;
  turn: NodeJS.Timeout;
  end: LongTimer | null;
}

/**
 * Slows processes to one part in `factor` of the time: they run for some milliseconds (SIGCONT), then stand still
 * (SIGSTOP) for as many times longer as they actually ran, however late the timers are. Sockets stay open and nobody is
 * told, as on an overloaded host.
 */
export class Slowdowns {
  private readonly byName = new Map<string, Slowed>();

  constructor(
    private readonly note: (text: string) => void,
    private readonly log: (event: 'fault_applied' | 'fault_healed', fields: LogFields) => void,
  ) {}

  /** A second slowdown of a process replaces the first. */
  begin(process: ManagedProcess, factor: number, forMs: number | null): void {
    this.end(process.name);
    const { name } = process;
    // The leash frees it if this process dies while it stands still.
    const slowed: Slowed = {
      process,
      factor,
      leash: new Leash(process.identity),
      turn: setTimeout(() => undefined),
      end: null,
    };
    slowed.end = forMs === null ? null : callAfter(forMs, () => void this.end(name));
    this.byName.set(name, slowed);
    this.run(slowed);
    this.log('fault_applied', { rule: ruleOf(name), text: `slow ${coreOf(name)} by ${factor}` });
    this.note(`core ${coreOf(name)} runs ${factor} times as slow${forMs === null ? '' : ` for ${forMs / 1000} s`}`);
  }

  /** Ends the slowdowns that the heal names; returns the faults that ended. */
  heal(target: HealTarget): readonly string[] {
    const meant = [...this.byName.keys()].filter(
      (name) => target === 'all' || ('id' in target && target.id === ruleOf(name)),
    );
    return meant.filter((name) => this.end(name)).map(ruleOf);
  }

  /** A running process's entry in `ps`; empty: nothing. */
  describe(name: string): string {
    const slowed = this.byName.get(name);
    return slowed === undefined || slowed.process.ended ? '' : `slowed ${slowed.factor} times`;
  }

  close(): void {
    for (const name of [...this.byName.keys()]) this.end(name);
  }

  private run(slowed: Slowed): void {
    if (slowed.process.ended) return void this.end(slowed.process.name);
    slowed.process.pause(false);
    const startedAt = performance.now();
    slowed.turn = setTimeout(() => this.still(slowed, performance.now() - startedAt), RUN_MS);
  }

  private still(slowed: Slowed, ranMs: number): void {
    slowed.process.pause(true);
    slowed.turn = setTimeout(() => this.run(slowed), Math.min(STILL_MS, ranMs * (slowed.factor - 1)));
  }

  /** Returns whether there was one. */
  private end(name: string): boolean {
    const slowed = this.byName.get(name);
    if (slowed === undefined) return false;
    this.byName.delete(name);
    clearTimeout(slowed.turn);
    slowed.end?.cancel();
    slowed.leash.release();
    if (slowed.process.ended) return false;
    slowed.process.pause(false);
    this.log('fault_healed', { rule: ruleOf(name), affected: 0 });
    this.note(`core ${coreOf(name)} runs as fast as ever`);
    return true;
  }
}

function ruleOf(name: string): string {
  return `slow:${coreOf(name)}`;
}

function coreOf(name: string): string {
  return name.replace('core-', '');
}
