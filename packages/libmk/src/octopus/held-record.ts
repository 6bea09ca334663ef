/**
 * A record of ours that a recipe relies on: a place in a lock's queue, a permit, an entry in a barrier. It is
 * transient, so it goes with our session; its holder is told when it is gone, for whatever reason.
 *
 *   HR1  told within the session time-out, even when the SKB cannot be reached: nobody else can have it before (N1);
 *   HR2  told once, by `lost` and by `signal`; never after it was given back.
 */
import type { Recipe } from '@mk/monitor-proto/octopus/names';
import { type OctopusErrorName, TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { type Octopus, OctopusError, quotedName } from './octopus.ts';

/** Reports the loss of something held. */
export interface Losable {
  /** Rejects with an `OctopusError` (LOCK_LOST, PERMIT_LOST, …) when it is lost; stays pending otherwise. */
  readonly lost: Promise<never>;
  /** Aborts at the same moment, with that error as its reason: pass it to whatever must then stop. */
  readonly signal: AbortSignal;
}

export interface HeldRecordOptions {
  readonly recipe: Recipe;
  readonly error: OctopusErrorName;
  /** As users call it: "the lock 'disk'". */
  readonly what: string;
}

export class HeldRecord implements Losable {
  readonly lost: Promise<never>;
  /** Resolves when the record is watched; rejects if it is lost before. */
  readonly watched: Promise<void>;
  private readonly controller = new AbortController();
  private readonly endSession: () => void;
  private failure: OctopusError | null = null;
  private given: Promise<void> | null = null;
  private reject: (error: OctopusError) => void = () => undefined;

  constructor(
    private readonly octopus: Octopus,
    readonly name: string,
    private readonly options: HeldRecordOptions,
  ) {
    this.lost = new Promise<never>((_, reject) => (this.reject = reject));
    this.lost.catch(() => undefined); // a holder that does not listen learns it from `signal` and from its next call
    this.endSession = octopus.onSessionLost((text) => {
      this.lose(text);
      this.forget(); // the SKB may still have it
    });
    this.watched = this.watch();
    this.watched.catch(() => undefined);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Throws if it is lost. */
  check(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** Gives it back; rejects if it was lost before. Further calls repeat the first. */
  release(): Promise<void> {
    return (this.given ??= this.giveBack());
  }

  /** Gives up silently: it is no longer wanted. */
  abandon(): void {
    if (this.given !== null) return;
    this.given = Promise.resolve();
    this.endSession();
    this.forget();
  }

  /** Resolves as `gaining` does; if that rejects, the record is given up, since its holder never had it. */
  async orAbandon<T>(gaining: Promise<T>): Promise<T> {
    try {
      return await gaining;
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  private async giveBack(): Promise<void> {
    this.check();
    const there = await this.delete();
    this.endSession();
    this.check();
    if (!there) throw this.lose('its record is gone');
  }

  private delete(): Promise<boolean> {
    return this.octopus.delete(quotedName(this.name), { recipe: this.options.recipe, own: true });
  }

  private forget(): void {
    this.delete().catch(() => undefined);
  }

  /** Watches the record while it is held; reinstalled after every restart of the SKB. */
  private async watch(): Promise<void> {
    const query = { type: 'exists', query: quotedName(this.name), own: true } as const;
    const armed = await this.octopus.arm(query, 'OK', TRIGGER.ON_DEL);
    if (!armed.reply.ok) {
      if (armed.reply.error !== 'NO_RECORD') throw this.lose(`it cannot be watched (${armed.reply.error})`);
      throw this.lose('its record is gone');
    }
    void armed.woken.then((notification) => {
      if (this.given !== null || this.failure !== null) return undefined;
      if (notification === undefined) return this.watch().catch((error: Error) => void this.lose(error.message));
      return void this.lose('its record was deleted');
    });
  }

  private lose(text: string): OctopusError {
    const { error, what } = this.options;
    this.failure ??= new OctopusError(error, `${what} is lost: ${text}`);
    if (this.controller.signal.aborted) return this.failure;
    this.endSession();
    this.controller.abort(this.failure);
    this.reject(this.failure);
    return this.failure;
  }
}
