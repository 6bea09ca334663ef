import type { LinkId, Nanos } from '../ids.ts';
import { createPreciseTimer, type PreciseTimer } from './precise-timer.ts';

/** Something that a link delivered, and when the core takes it. */
interface Arrival {
  readonly link: LinkId;
  readonly dueNs: Nanos;
  readonly take: () => void;
}

/** Holds arrivals until the core takes them, in order over all links. */
export class Ingress {
  private readonly waiting: Arrival[] = [];
  private readonly timer: PreciseTimer;

  constructor(private readonly nowNs: () => Nanos) {
    this.timer = createPreciseTimer(nowNs, () => this.drain());
  }

  /** Calls `take` no earlier than any earlier call. */
  hold(link: LinkId, dueNs: Nanos, take: () => void): void {
    this.waiting.push({ link, dueNs, take });
    this.timer.arm(dueNs);
  }

  /** Calls `then` after everything held of a link; at once when nothing is. */
  behind(link: LinkId, then: () => void): void {
    const last = this.waiting.findLast((arrival) => arrival.link === link);
    if (last === undefined) then();
    else this.waiting.splice(this.waiting.indexOf(last) + 1, 0, { link, dueNs: last.dueNs, take: then });
  }

  /** A link is closed: nothing more is heard of it. */
  forget(link: LinkId): void {
    for (let i = this.waiting.length - 1; i >= 0; i -= 1) if (this.waiting[i]?.link === link) this.waiting.splice(i, 1);
  }

  get held(): number {
    return this.waiting.length;
  }

  close(): void {
    this.waiting.length = 0;
    this.timer.close();
  }

  private drain(): void {
    const now = this.nowNs();
    let [next] = this.waiting;
    for (; next !== undefined && next.dueNs <= now; [next] = this.waiting) {
      this.waiting.shift();
      next.take();
    }
    if (next !== undefined) this.timer.arm(next.dueNs);
  }
}
