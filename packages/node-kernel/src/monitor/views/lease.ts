import type { Nanos } from '@mk/monitor-proto/ids';

const KEPT = 64;

/**
 * How long this core may act. Counted from when it sent the acknowledged answer, never from the acknowledgement's
 * arrival.
 */
export class Lease {
  /** Valid before this time. */
  until: Nanos = 0;
  private readonly sentAt = new Map<number, Nanos>();

  constructor(private readonly leaseNs: Nanos) {}

  sent(sequence: number, now: Nanos): void {
    this.sentAt.set(sequence, now);
    if (this.sentAt.size > KEPT) this.sentAt.delete(this.sentAt.keys().next().value!);
  }

  acknowledged(sequence: number): void {
    const sent = this.sentAt.get(sequence);
    if (sent !== undefined) this.until = Math.max(this.until, sent + this.leaseNs);
  }

  /** Answers in an earlier view or to an earlier leader no longer count. */
  restart(until: Nanos): void {
    this.sentAt.clear();
    this.until = until;
  }
}
