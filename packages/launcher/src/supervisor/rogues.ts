import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import type { HealTarget } from '@mk/monitor-proto/link/rule-state';
import type { LogFields } from '@mk/monitor-proto/log-events';
import type { RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';

/** Where misbehaving processes are reached, and who is told. */
export interface RoguesHost<P> {
  /** Asks a process over its control port; rejects when it does not answer in time. */
  ask(process: P, args: { readonly behaviour: RogueBehaviour | 'none' }): Promise<unknown>;
  note(text: string): void;
  readonly log: (event: 'fault_applied' | 'fault_healed', fields: LogFields) => void;
}

interface RogueCore<P> {
  readonly process: P;
  readonly behaviours: Set<RogueBehaviour>;
  timer: LongTimer | null;
}

/** The cores that misbehave by order. A restarted one is a new process and behaves. */
export class Rogues<P extends { readonly ended: boolean }> {
  private readonly byCore = new Map<number, RogueCore<P>>();

  constructor(private readonly host: RoguesHost<P>) {}

  /** In one way more; the time, if there is one, is that of the last order. */
  async begin(core: number, process: P, behaviour: RogueBehaviour, forMs: number | null): Promise<void> {
    await this.host.ask(process, { behaviour });
    const known = this.byCore.get(core);
    const rogue = known?.process === process ? known : { process, behaviours: new Set<RogueBehaviour>(), timer: null };
    rogue.behaviours.add(behaviour);
    rogue.timer?.cancel();
    rogue.timer = forMs === null ? null : callAfter(forMs, () => void this.end(core).catch(() => undefined));
    this.byCore.set(core, rogue);
    this.host.log('fault_applied', { rule: ruleOf(core), text: `rogue ${core}: ${behaviour}` });
    this.host.note(`core ${core} misbehaves: ${[...rogue.behaviours].join(', ')}`);
  }

  /** Has those behave that the heal means; the names of the faults that ended. */
  async heal(target: HealTarget): Promise<readonly string[]> {
    const meant = [...this.byCore.keys()].filter(
      (core) => target === 'all' || ('id' in target && target.id === ruleOf(core)),
    );
    const ended = await Promise.all(meant.map((core) => this.end(core)));
    return meant.filter((_core, i) => ended[i]).map(ruleOf);
  }

  close(): void {
    for (const { timer } of this.byCore.values()) timer?.cancel();
    this.byCore.clear();
  }

  /** Whether it had to be told: one that is gone misbehaves no more. */
  private async end(core: number): Promise<boolean> {
    const rogue = this.byCore.get(core);
    if (rogue === undefined) return false;
    rogue.timer?.cancel();
    if (!rogue.process.ended) await this.host.ask(rogue.process, { behaviour: 'none' });
    this.byCore.delete(core);
    this.host.log('fault_healed', { rule: ruleOf(core), affected: 0 });
    this.host.note(`core ${core} behaves again`);
    return true;
  }
}

function ruleOf(core: number): string {
  return `rogue:${core}`;
}
