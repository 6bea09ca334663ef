import type { Nanos } from '@mk/monitor-proto/ids';

/** A registry that is away may have founded a view of which this core was not told: it asks after this long. */
const PATIENCE: Nanos = 2_000_000_000;

/**
 * Whether the registry is about to found this machine's first view, in its own time: then nobody asks others to be
 * taken in, and opens links for it.
 */
export class Founding {
  private awaited = false;
  private until: Nanos = 0;
  /** A first view has begun without this core. */
  passedOver = false;

  /** The registry has named this core; `awaited`: it knew of no view, and of no earlier life of this core. */
  begin(awaited: boolean, now: Nanos): void {
    this.awaited = awaited;
    this.until = awaited ? now + PATIENCE : now;
  }

  isAwaited(now: Nanos, registryIsThere: boolean): boolean {
    return !this.passedOver && (now < this.until || (this.awaited && registryIsThere));
  }

  /** The registry went or has come back; when to ask others, null: it matters no more. */
  registryAway(now: Nanos): Nanos | null {
    if (!this.awaited) return null;
    this.until = now + PATIENCE;
    return this.until;
  }

  /** It is a later life of the registry, which does not know whether the earlier one has founded a view. */
  registryIsAnother(): void {
    this.awaited = false;
  }
}
