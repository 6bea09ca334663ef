import { BEAT_MS, type Millis } from './page-events.ts';

/**
 * How long a server may be silent: a process that is stopped, or a host that is cut off, closes no connection, so only
 * missing beats reveal it.
 */
const SILENCE_MS = { notLive: 3.5 * BEAT_MS, gone: 10 * BEAT_MS } as const;

/** Whether the server of a page is alive, by its messages so far. Times are the page's own. */
export class Pulse {
  /** When the server was last heard. */
  heardAt: Millis;
  /** How far the server's clock is ahead of ours; late messages make it look less. */
  aheadMs = -Infinity;

  constructor(now: Millis) {
    this.heardAt = now;
  }

  heard(now: Millis, serverTime?: Millis): void {
    this.heardAt = now;
    if (serverTime !== undefined) this.aheadMs = Math.max(this.aheadMs, serverTime - now);
  }

  /** `silent`: what the page shows may be old. `gone`: another connection is worth a try. */
  state(now: Millis): 'live' | 'silent' | 'gone' {
    const silentMs = now - this.heardAt;
    if (silentMs < SILENCE_MS.notLive) return 'live';
    return silentMs < SILENCE_MS.gone ? 'silent' : 'gone';
  }
}
