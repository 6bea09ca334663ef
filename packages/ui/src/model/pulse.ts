import { BEAT_MS, type Millis } from './page-events.ts';

/**
 * How long a server may be silent: a process that is stopped, or a host that is cut off, closes no connection, so only
 * missing beats reveal it.
 */
const SILENCE_MS = { notLive: 3.5 * BEAT_MS, gone: 10 * BEAT_MS } as const;

/** Beats by which the server's clock is read: one that is set anew is shown right a minute later. */
const BEATS_READ = 30;

/** Whether the server of a page is alive, by its messages so far. Times are the page's own. */
export class Pulse {
  /** When the server was last heard. */
  heardAt: Millis;
  private aheads: readonly number[] = [];

  constructor(now: Millis) {
    this.heardAt = now;
  }

  heard(now: Millis, serverTime?: Millis): void {
    this.heardAt = now;
    if (serverTime !== undefined) this.aheads = [...this.aheads, serverTime - now].slice(-BEATS_READ);
  }

  /** How far the server's clock is ahead of ours, -Infinity before the first beat; late messages make it look less. */
  get aheadMs(): Millis {
    return Math.max(...this.aheads);
  }

  /** `silent`: what the page shows may be old. `gone`: another connection is worth a try. */
  state(now: Millis): 'live' | 'silent' | 'gone' {
    const silentMs = now - this.heardAt;
    if (silentMs < SILENCE_MS.notLive) return 'live';
    return silentMs < SILENCE_MS.gone ? 'silent' : 'gone';
  }
}
