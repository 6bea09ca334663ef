import type { Nanos } from '@mk/monitor-proto/ids';

/** A registry that is away may have founded a view without this core's knowledge: it asks others after this long. */
const PATIENCE: Nanos = 2_000_000_000;

/**
 * Whether the registry will soon found this machine's first view. Until then nobody asks others to be taken in, or
 * opens links for it.
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

  /** The registry has gone or come back. Returns when to ask others; null: never for this reason. */
  registryAway(now: Nanos): Nanos | null {
    if (!this.awaited) return null;
    this.until = now + PATIENCE;
    return this.until;
  }

  /** The registry is another life, which does not know whether the earlier one has founded a view. */
  registryIsAnother(): void {
    this.awaited = false;
  }
}
