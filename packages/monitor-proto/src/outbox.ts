import type { LogEventName, LogFieldsOf, LogLevel } from './log-events.ts';
import { LOG_EVENTS, LOG_LEVELS } from './log-events.ts';
import { clear } from './reused-array.ts';
import type { Effect } from './step.ts';

/** The sink of pure code's effects and log lines. */
export interface EffectSink {
  /** The Lamport clock of log lines and frames. */
  lamport: number;
  /** Whether debug lines are written: check before building fields on a hot path. */
  readonly debug: boolean;
  push(effect: Effect): void;
  log<E extends LogEventName>(event: E, fields: LogFieldsOf<E>): void;
}

/** Collects the effects of one step; `E`: effects beyond those of every state machine. */
export class Outbox<E = never> implements EffectSink {
  lamport = 0;
  /** Whether debug lines are written; check before building one. */
  debug = false;
  private threshold = 0;
  private readonly effects: (E | Effect)[] = [];

  constructor(level: LogLevel | 'off') {
    this.logFrom(level);
  }

  /** Writes lines of this level and above from now on. */
  logFrom(level: LogLevel | 'off'): void {
    this.threshold = level === 'off' ? LOG_LEVELS.length : LOG_LEVELS.indexOf(level);
    this.debug = this.threshold === 0;
  }

  push(effect: E | Effect): void {
    this.effects.push(effect);
  }

  log<E extends LogEventName>(event: E, fields: LogFieldsOf<E>): void {
    if (LOG_LEVELS.indexOf(LOG_EVENTS[event].level) < this.threshold) return;
    this.lamport += 1;
    this.effects.push({ type: 'log', event, lamport: this.lamport, fields });
  }

  /** The effects since the last call. */
  take(): readonly (E | Effect)[] {
    if (this.effects.length === 0) return NONE;
    const taken = this.effects.slice();
    clear(this.effects);
    return taken;
  }
}

const NONE: readonly never[] = [];
