import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import type { HealTarget } from '@mk/monitor-proto/link/rule-state';
import type { LogFields } from '@mk/monitor-proto/log-events';
import type { RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import type { FaultTarget } from '../client/fault-targets.ts';

/** What it takes to reach misbehaving processes, and whom to inform. */
export interface RoguesHost<P> {
  /** Asks a process over its control port; rejects when it does not answer in time. */
  ask(process: P, args: { readonly behaviour: RogueBehaviour | 'none' }): Promise<unknown>;
  note(text: string): void;
  readonly log: (event: 'fault_applied' | 'fault_healed', fields: LogFields) => void;
}

interface RogueCore<P> {
  readonly process: P;
  readonly behaviours: ReadonlySet<RogueBehaviour>;
  timer: LongTimer | null;
}

/** A core that does not answer is told again after this long. */
const RETRY_MS = 1000;

/**
 * The cores that misbehave on command. A restarted one is a new process and behaves. An order is recorded before it is
 * given: a core that hears it too late to answer must hear of its end, too.
 */
export class Rogues<P extends { readonly ended: boolean }> {
  private readonly byCore = new Map<number, RogueCore<P>>();

  constructor(private readonly host: RoguesHost<P>) {}

  /** Adds a way of misbehaving; the latest order's duration counts. */
  async begin(core: number, process: P, behaviour: RogueBehaviour, forMs: number | null): Promise<void> {
    const known = this.byCore.get(core);
    known?.timer?.cancel();
    const before = known?.process === process ? known.behaviours : [];
    const timer = forMs === null ? null : callAfter(forMs, () => void this.end(core));
    // A new entry: an end under way ends the old one.
    const rogue = { process, behaviours: new Set([...before, behaviour]), timer };
    this.byCore.set(core, rogue);
    await this.host.ask(process, { behaviour });
    this.host.log('fault_applied', { rule: ruleOf(core), text: `rogue ${core}: ${behaviour}` });
    this.host.note(`core ${core} misbehaves: ${[...rogue.behaviours].join(', ')}`);
  }

  /** Ends whatever an earlier supervisor has ordered, of which this one knows nothing. */
  async follow(cores: readonly (readonly [core: number, process: P])[]): Promise<void> {
    for (const [core, process] of cores) this.byCore.set(core, { process, behaviours: new Set(), timer: null });
    await Promise.all(cores.map(([core]) => this.end(core)));
  }

  /** Ends the faults that the heal names; resolves with those that ended, and the cores that will hear of it later. */
  async heal(
    target: HealTarget,
  ): Promise<{ readonly healed: readonly string[]; readonly missing: readonly FaultTarget[] }> {
    const meant = [...this.byCore.keys()].filter(
      (core) => target === 'all' || ('id' in target && target.id === ruleOf(core)),
    );
    const ended = await Promise.all(meant.map((core) => this.end(core)));
    return { healed: meant.filter((_core, i) => ended[i]).map(ruleOf), missing: meant.filter((_core, i) => !ended[i]) };
  }

  close(): void {
    for (const { timer } of this.byCore.values()) timer?.cancel();
    this.byCore.clear();
  }

  /** Whether it no longer misbehaves, as when it is gone; one that does not answer is asked again until it does. */
  private async end(core: number): Promise<boolean> {
    const rogue = this.byCore.get(core);
    if (rogue === undefined) return true;
    rogue.timer?.cancel();
    const told = rogue.process.ended || (await this.told(rogue));
    if (this.byCore.get(core) !== rogue) return true;
    if (!told) {
      rogue.timer?.cancel();
      rogue.timer = callAfter(RETRY_MS, () => void this.end(core)).unref();
      return false;
    }
    this.byCore.delete(core);
    if (rogue.behaviours.size === 0) return true;
    this.host.log('fault_healed', { rule: ruleOf(core), affected: 0 });
    this.host.note(`core ${core} behaves again`);
    return true;
  }

  private told({ process }: RogueCore<P>): Promise<boolean> {
    return this.host.ask(process, { behaviour: 'none' }).then(
      () => true,
      () => false,
    );
  }
}

function ruleOf(core: number): string {
  return `rogue:${core}`;
}
