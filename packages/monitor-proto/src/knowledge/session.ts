/*
 * A client's session with the knowledge base: a lease that the client renews over its channel. The SKB gives up a
 * client after the session time-out without a message: the client's transient records go, its locks included.
 *
 *   N1  a client knows that its session is over no later than anybody can acquire what it held: its lease runs from
 *       when it *asked* for the renewal, the SKB's time-out from when it heard. Assumes clocks that run at the same
 *       rate.
 *   N2  a lost session stays lost: the client says so when it begins another, and the SKB, which may have restarted or
 *       not have given the first one up, then drops it.
 *
 * From: Chubby's KeepAlives (Burrows, OSDI 2006, §2.8), ZooKeeper's sessions. Pure.
 */
import { MILLISECOND, type Nanos } from '../ids.ts';
import { limit } from '../limits.ts';
import type { Message, MessageOf } from '../messages/table.ts';
import type { Timer, TimerQueue } from '../timer-queue.ts';

/** The channel as a session uses it. */
export interface SessionPort {
  send(message: Message): void;
  /** The session is lost with everything it held; reported once per session. */
  lost(text: string): void;
  /** Another session begins over the channel: the SKB has forgotten the client's triggers. */
  begun(): void;
}

/** Renewals per time-out; all of them must be late before the session is over. */
const RENEWALS = 5;

export class Session {
  private timeoutNs: Nanos = limit('sessionTimeoutNs');
  private begun = false;
  private lease: Nanos = Infinity;
  private over = false;
  private asked: { readonly id: number; readonly at: Nanos; readonly begins: boolean } | null = null;
  private nextId = 1;
  private timer: Timer | null = null;

  constructor(
    private readonly timers: TimerQueue,
    private readonly port: SessionPort,
  ) {}

  /** Whether everything that the client holds is certainly still its own. */
  get alive(): boolean {
    return !this.over;
  }

  /**
   * The channel is up, for the first time with this service (`fresh`) or again; `lost`: why the service had given the
   * session up, or null.
   */
  up(fresh: boolean, lost: string | null, now: Nanos): void {
    if (lost !== null) this.end(lost);
    if (fresh && this.asked?.begins === true) this.end('the SKB was restarted before another session had begun');
    if (fresh) this.asked = null; // the request went with the old channel
    this.begun = true;
    this.renew(now);
  }

  /** The SKB has answered a renewal. */
  renewed({ id, timeout_ms: timeoutMs }: MessageOf<'session_alive_reply'>, now: Nanos): void {
    const { asked } = this;
    if (asked === null || asked.id !== id) return;
    this.asked = null;
    this.timeoutNs = timeoutMs * MILLISECOND;
    if (!this.over) this.lease = asked.at + this.timeoutNs;
    this.wait(Math.max(now, asked.at + this.timeoutNs / RENEWALS));
  }

  /** Handles the SKB's notice that it has given this client up; a new session begins with the next renewal. */
  given(text: string, now: Nanos): void {
    this.end(text);
    this.asked = null;
    this.renew(now);
  }

  stop(): void {
    this.begun = false;
    this.timers.cancel(this.timer);
  }

  private renew(now: Nanos): void {
    if (!this.begun) return;
    if (this.asked === null) this.ask(now);
    this.wait(now + this.timeoutNs / RENEWALS);
  }

  private ask(now: Nanos): void {
    const begins = this.over;
    this.asked = { id: this.nextId++ % 2 ** 32, at: now, begins };
    this.port.send({ type: 'session_alive', id: this.asked.id, begins });
    if (this.lease === Infinity) this.lease = now + this.timeoutNs;
    if (!begins) return;
    this.over = false;
    this.port.begun();
  }

  private wait(at: Nanos): void {
    this.timers.cancel(this.timer);
    this.timer = this.timers.set(Math.min(at, this.lease), (now) => this.look(now));
  }

  private look(now: Nanos): void {
    if (now >= this.lease && !this.over)
      this.end(`the SKB has not answered for ${Math.round(this.timeoutNs / 1e8) / 10} s`);
    this.renew(now);
  }

  private end(text: string): void {
    if (this.over) return;
    this.over = true;
    this.lease = Infinity;
    this.port.lost(text);
  }
}

/** Why a session ended whose client did not read. */
export const OVERRUN = 'the SKB has dropped this client, which did not take what it was told';

export function lostAfter(silentMs: number): string {
  return `the SKB has not heard from this client for ${Math.round(silentMs / 100) / 10} s and has dropped it`;
}
