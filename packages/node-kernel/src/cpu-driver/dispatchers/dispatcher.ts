import type { Nanos } from '@mk/monitor-proto/ids';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import { borderLimit } from '@mk/libmk/dispatcher/limits';
import type { CallResult, Upcall } from '@mk/libmk/dispatcher/protocol';
import type { Task } from '../scheduler/task.ts';
import { dispatcherLimit } from './limits.ts';

/**
 * `starting`: its host makes it. `waiting`: nothing waits for it. `ready`: it will be resumed when the scheduler says so.
 * `running`: in a turn. `stopping`: its host was told to end it, and has not said that it has.
 */
export type DispatcherState = 'starting' | 'waiting' | 'ready' | 'running' | 'stopping';

/** Why a dispatcher is no more. */
export interface Ending {
  /** `exited`, or a name of the error table. */
  readonly cause: string;
  /** What `exit` was given; 1 for every other cause. */
  readonly status: number;
  readonly text: string;
}

/** A program as its host needs it. */
export interface ProgramText {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
}

/** One dispatcher of this core. Its cspace is that of the domain of the same number (domains.ts). */
export class Dispatcher {
  state: DispatcherState = 'starting';
  /** Since when, for whoever looks. */
  stateSince: Nanos;
  /** Wants to be resumed though no upcall waits: calls are left over, or it yielded. */
  more = false;
  /** It was asked to give the core up in this turn. */
  asked = false;
  /** It lost the core at a call within its turn: the answer is what it is resumed with. */
  held: CallResult | null = null;
  /** Set when it shall end or has ended. */
  ending: Ending | null = null;
  runNs: Nanos = 0;
  turns = 0;
  calls = 0;
  /** Asynchronous calls that were not answered. */
  inFlight = 0;
  readonly timers = new Map<number, Timer>();
  private upcalls: Upcall[] = [];

  constructor(
    readonly id: number,
    /** Its domain, `core.incarnation.n`. */
    readonly domain: string,
    readonly program: ProgramText,
    readonly task: Task,
    readonly startedAt: Nanos,
  ) {
    this.stateSince = startedAt;
  }

  /** In a turn: upcalls wait until it is over (Barrelfish: *disabled*). */
  get disabled(): boolean {
    return this.state === 'running' || this.held !== null;
  }

  get queued(): number {
    return this.upcalls.length;
  }

  get hasWork(): boolean {
    return this.more || this.upcalls.length > 0;
  }

  /** Whether the upcall has been queued; replies, timers and what is said once are, other ones while there is room. */
  push(upcall: Upcall): boolean {
    if (upcall.type === 'message' && this.upcalls.length >= dispatcherLimit('queuedUpcalls')) return false;
    this.upcalls.push(upcall);
    return true;
  }

  /** What the next turn begins with. */
  take(): readonly Upcall[] {
    const most = borderLimit('upcallsPerTurn');
    if (this.upcalls.length <= most) {
      const taken = this.upcalls;
      this.upcalls = [];
      return taken;
    }
    return this.upcalls.splice(0, most);
  }
}
