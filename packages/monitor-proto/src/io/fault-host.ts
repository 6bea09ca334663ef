import type { Nanos } from '../ids.ts';
import type { MetricFamily } from '../metrics.ts';
import { LinkFaults, type LinkFaultsOwner } from '../link/link-faults.ts';
import type { ControlReply, ControlRequest } from '../step.ts';
import { nowNs } from './clock.ts';
import { callAfter, type LongTimer } from './long-timer.ts';

/**
 * Applies the fault rules of a process's own links on time: a rule ends when its time is up, not with the next frame.
 */
export class FaultHost {
  readonly links: LinkFaults;
  private expiry: LongTimer | null = null;
  private expiryAt: Nanos = Infinity;

  constructor(owner: LinkFaultsOwner) {
    this.links = new LinkFaults(owner);
  }

  /** Serves the fault verbs; null for any other. */
  control(request: ControlRequest): ControlReply | null {
    const reply = this.links.control(request, nowNs());
    if (reply !== null) this.watch();
    return reply;
  }

  /** What each rule in force did, including its predecessors of the same id; ended rules are left out. */
  metrics(): readonly MetricFamily[] {
    const samples = this.links.totals(nowNs()).flatMap(({ rule, counters }) =>
      Object.entries(counters).map(([effect, value]) => ({
        labels: { rule: rule.id, kind: rule.kind, effect },
        value,
      })),
    );
    return [
      {
        name: 'mk_rule_frames_total',
        type: 'counter',
        help: 'Frames that a fault rule in force applied to, and (label effect) what became of them.',
        samples,
      },
    ];
  }

  close(): void {
    this.expiry?.cancel();
  }

  private watch(): void {
    const next = this.links.noteExpired(nowNs());
    if (next === this.expiryAt) return;
    this.expiryAt = next;
    this.expiry?.cancel();
    this.expiry = null;
    if (next !== Infinity) this.expiry = callAfter((next - nowNs()) / 1e6 + 1, () => this.expired());
  }

  private expired(): void {
    this.expiryAt = Infinity;
    this.watch();
  }
}
