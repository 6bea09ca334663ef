import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import { deleteStep } from '../../capability/invocations/delete-step.ts';
import { full, type Slot } from '../../capability/store/slot.ts';
import type { CapopsContext } from './context.ts';
import { deleteEverywhere } from './delete.ts';

/** Delete steps in one turn: together well below the time for which a core may be busy. */
const STEPS_PER_TURN = 8;

/**
 * Runs deletion in bounded steps: some per turn, with other events in between, until nothing is left or everything left
 * waits. An owner's last copy with remote ones is deleted across cores, as for a caller's delete.
 */
export class Stepper {
  private scheduled = false;
  private running = false;

  private readonly turnsEnd: (() => void)[] = [];

  constructor(private readonly m: CapopsContext) {
    m.whenDeletionMayGoOn(() => this.kick());
  }

  /** Calls `run` at the end of every turn. */
  afterEachTurn(run: () => void): void {
    this.turnsEnd.push(run);
  }

  /** Schedules a turn: there may be more to delete. */
  kick(): void {
    if (this.scheduled || this.running || !this.m.booted || this.m.state.deletions.drained) return;
    this.scheduled = true;
    this.m.context.timers.set(0, (now) => this.turn(now));
  }

  /** Takes a turn at once. */
  runNow(): void {
    if (!this.running) this.turn(this.m.now);
  }

  private turn(now: Nanos): void {
    const { m } = this;
    this.scheduled = false;
    this.running = true;
    let more = true;
    for (let i = 0; i < STEPS_PER_TURN && more; i += 1) {
      const step = deleteStep(m.state);
      if (step.state === 'last_owned') this.deleteAcrossCores(known(step.slot), now);
      more = step.state === 'more' || step.state === 'last_owned';
    }
    this.running = false;
    for (const run of this.turnsEnd) run();
    m.changes.changed();
    if (!more || this.scheduled) return;
    this.scheduled = true;
    m.context.timers.set(now + 1, (at) => this.turn(at));
  }

  private deleteAcrossCores(slot: Slot, now: Nanos): void {
    const { m } = this;
    const { capability } = full(slot);
    m.carryOn(
      'delete_queued',
      capability,
      (op) => deleteEverywhere(m, op, slot, capability),
      now,
      (outcome) => {
        if (!outcome.ok && slot.capability === capability) m.state.deletions.enqueue(slot);
        this.kick();
      },
    );
  }
}
