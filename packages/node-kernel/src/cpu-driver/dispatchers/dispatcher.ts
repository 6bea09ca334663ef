import type { DomainId, Nanos } from '@mk/monitor-proto/ids';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import { borderLimit } from '@mk/libmk/dispatcher/limits';
import type { CallResult, Upcall } from '@mk/libmk/dispatcher/protocol';
import type { FrameView } from '@mk/libmk/dispatcher/frame-view';
import type { HandedFrame } from './handed-frame.ts';
import type { Task } from '../scheduler/task.ts';
import type { GiveUp } from '../give-up.ts';

/**
 * `starting`: its host is creating it. `waiting`: it has nothing to do. `ready`: resumed when the scheduler says so.
 * `running`: in a turn. `stopping`: its host was told to end it and has not confirmed.
 */
export type DispatcherState = 'starting' | 'waiting' | 'ready' | 'running' | 'stopping';

/** Why a dispatcher ended. */
export interface Ending {
  /** `exited`, or a name of the error table. */
  readonly cause: string;
  /** The argument of `exit`; 1 for every other cause. */
  readonly status: number;
  readonly text: string;
}

/** A program as its host needs it. */
export interface ProgramText {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
}

/** One dispatcher of this core. Its cspace is the domain of the same number (domains.ts). */
export class Dispatcher {
  state: DispatcherState = 'starting';
  /** When it entered its state, for display. */
  stateSince: Nanos;
  /** Wants to be resumed though no upcall waits: it left calls over, or it yielded. */
  more = false;
  /** It was asked to yield during this turn. */
  asked = false;
  /** It lost the core at a call within its turn, and is resumed with this result. */
  held: CallResult | null = null;
  /** Set when it is to end or has ended. */
  ending: Ending | null = null;
  runNs: Nanos = 0;
  turns = 0;
  calls = 0;
  /** Unanswered asynchronous calls. */
  inFlight = 0;
  /** Of those calls that wait for long, by their numbers: what ends the wait. */
  readonly waits = new Map<number, GiveUp>();
  readonly timers = new Map<number, Timer>();
  private upcalls: Upcall[] = [];
  private frames: HandedFrame[] = [];
  private lastFrame = 0;
  /** Numbers of the views that it was handed last and keeps. */
  private readonly handed = new Map<FrameView, number>();
  /** Upcalls that carry, or may come to carry, several messages. */
  private joins: Join[] = [];
  /** The latest of each channel, which further messages may join. */
  private readonly joined = new Map<number, Join>();

  constructor(
    readonly id: DomainId,
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

  /**
   * Queues an upcall. None is refused: channels and endpoints bound the messages under way to a dispatcher (K2, EP2).
   * Waiting messages of a channel share one upcall, so that many small ones take no more room than their bytes.
   */
  push(upcall: Upcall): void {
    if (upcall.type !== 'message' || upcall.data.length === 0 || upcall.capabilities.length > 0) {
      if (upcall.type === 'message') this.joined.delete(upcall.channel);
      this.upcalls.push(upcall);
      return;
    }
    const last = this.joined.get(upcall.channel);
    if (last !== undefined && last.bytes + upcall.data.length <= JOINED_BYTES) {
      last.parts.push(upcall.data);
      last.bytes += upcall.data.length;
      return;
    }
    const join = { at: this.upcalls.length, parts: [upcall.data], bytes: upcall.data.length };
    this.joins.push(join);
    this.joined.set(upcall.channel, join);
    this.upcalls.push(upcall);
  }

  /**
   * The number by which an upcall names memory. The memory travels beside the upcalls of the next turn, unless the
   * dispatcher still has it from an earlier one.
   */
  hand(view: FrameView): number {
    const known = this.handed.get(view);
    if (known !== undefined) return known;
    this.lastFrame += 1;
    this.frames.push({ frame: this.lastFrame, view });
    this.handed.set(view, this.lastFrame);
    for (const first of this.handed.keys()) {
      if (this.handed.size <= borderLimit('framesHeld')) break;
      this.handed.delete(first);
    }
    return this.lastFrame;
  }

  /** The memory that travels with the next turn. */
  takeFrames(): readonly HandedFrame[] {
    const taken = this.frames;
    if (taken.length > 0) this.frames = [];
    return taken;
  }

  /** The upcalls that begin the next turn. */
  take(): readonly Upcall[] {
    for (const { at, parts, bytes } of this.joins) {
      const first = this.upcalls[at];
      if (parts.length > 1 && first?.type === 'message')
        this.upcalls[at] = { ...first, data: concatenated(parts, bytes) };
    }
    this.joins = [];
    this.joined.clear();
    const most = borderLimit('upcallsPerTurn');
    if (this.upcalls.length <= most) {
      const taken = this.upcalls;
      this.upcalls = [];
      return taken;
    }
    return this.upcalls.splice(0, most);
  }
}

interface Join {
  /** Its index in the queue. */
  readonly at: number;
  readonly parts: Uint8Array[];
  bytes: number;
}

/** Bytes of messages that share an upcall: as many as a channel's largest message. */
const JOINED_BYTES = 64 << 10;

function concatenated(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
