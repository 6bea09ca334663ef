import type { Nanos } from '@mk/monitor-proto/ids';
import { nowNs } from '@mk/monitor-proto/io/clock';
import { BorderError, PlainReader, PlainWriter } from '@mk/libmk/dispatcher/plain-value';
import { decodeTurn, encodeResult, encodeResumption, TURN_BYTES_MOST } from '@mk/libmk/dispatcher/protocol';
import { borderLimit } from '@mk/libmk/dispatcher/limits';
import type { DispatcherEffect, DispatcherEvent } from '../../cpu-driver/dispatchers/effects.ts';
import type { HandedFrame } from '../../cpu-driver/dispatchers/handed-frame.ts';

type EffectOf<T extends DispatcherEffect['type']> = Extract<DispatcherEffect, { readonly type: T }>;

/** The core's end of one dispatcher's thread or process. */
export interface Vessel {
  /** Starts a program; call once, before or after the vessel is ready. */
  begin(options: BeginOptions): void;
  /** Delivers a resumption, with the shared memory that it names. */
  resume(bytes: Uint8Array, frames: readonly HandedFrame[]): void;
  /** Answers the call that the dispatcher is waiting on. */
  answer(bytes: Uint8Array): void;
  interrupt(): void;
  /** The CPU time that it has had so far, or more; null: unknown. Only differences count. */
  cpuNs(): Nanos | null;
  /** Ends the dispatcher, whatever it is doing; `ended` follows. */
  kill(): void;
}

export interface BeginOptions {
  readonly name: string;
  readonly program: Uint8Array;
  readonly digest: string;
  readonly seed: string;
  readonly epochMs: number;
  readonly bufferBytes: number;
}

/** Reports of a vessel. */
export interface VesselOwner {
  ready(): void;
  /** Bytes that claim to be a turn. */
  turn(bytes: Uint8Array): void;
  /** Bytes that claim to be a call. */
  call(bytes: Uint8Array): void;
  ended(cause: string, text: string): void;
}

export interface VesselLimits {
  readonly heapOldMb: number;
  readonly heapYoungMb: number;
}

/** Makes vessels, or has them in stock. */
export interface VesselSource {
  take(limits: VesselLimits, owner: VesselOwner): Vessel;
  close(): void;
}

interface Hosted {
  readonly vessel: Vessel;
  resumedAt: Nanos;
  /** What it had used when it was last interrupted. */
  cpuNs: Nanos | null;
}

/** Vessels created at once: more would take the CPU from their own core, which has a lease to keep. */
const STARTING_MOST = 4;

/** Carries out the CPU driver's effects on its dispatchers, and reports their events. Decides nothing. */
export class DispatcherHost {
  private readonly hosted = new Map<number, Hosted>();
  private readonly starting = new Set<number>();
  /** Dispatchers that wait until others have started, oldest first. */
  private readonly queued = new Map<number, EffectOf<'start_dispatcher'>>();
  private readonly writer = new PlainWriter(64 << 20);
  private readonly epochMs = new Date().getTime() - nowNs() / 1e6;

  constructor(
    private readonly source: VesselSource,
    private readonly post: (event: DispatcherEvent) => void,
  ) {}

  readonly performers: { readonly [T in DispatcherEffect['type']]: (effect: EffectOf<T>) => void } = {
    start_dispatcher: (effect) => {
      this.queued.set(effect.dispatcher, effect);
      this.startNext();
    },
    resume_dispatcher: ({ dispatcher, until, upcalls, frames }) => {
      const hosted = this.hosted.get(dispatcher);
      if (hosted === undefined) return;
      hosted.resumedAt = nowNs();
      hosted.vessel.resume(encodeResumption(this.writer, { now: hosted.resumedAt, until, upcalls }), frames);
    },
    answer_dispatcher: ({ dispatcher, result, resumed }) => {
      const hosted = this.hosted.get(dispatcher);
      if (hosted === undefined) return;
      if (resumed) hosted.resumedAt = nowNs();
      const bytes = encodeResult(this.writer, result);
      const fits = bytes.length <= borderLimit('callNowBytes');
      const text = `the answer has ${bytes.length} bytes, but only ${borderLimit('callNowBytes')} fit: make the call asynchronously`;
      hosted.vessel.answer(fits ? bytes : encodeResult(this.writer, { ok: false, error: 'NOT_AT_ONCE', text }));
    },
    interrupt_dispatcher: ({ dispatcher }) => {
      const hosted = this.hosted.get(dispatcher);
      if (hosted === undefined) return;
      hosted.cpuNs = hosted.vessel.cpuNs();
      hosted.vessel.interrupt();
    },
    measure_dispatcher: ({ dispatcher }) => {
      const hosted = this.hosted.get(dispatcher);
      if (hosted === undefined) return;
      const used = hosted.vessel.cpuNs();
      const cpuNs = used === null || hosted.cpuNs === null ? Infinity : used - hosted.cpuNs;
      this.post({ type: 'dispatcher_used', dispatcher, cpuNs });
    },
    kill_dispatcher: ({ dispatcher }) => {
      if (!this.queued.delete(dispatcher)) return this.hosted.get(dispatcher)?.vessel.kill();
      // It was never created; reported later, as for any other.
      setImmediate(() => this.post({ type: 'dispatcher_ended', dispatcher, cause: 'KILLED', text: '' }));
    },
  };

  /** Ends every dispatcher with the process. */
  close(): void {
    for (const { vessel } of this.hosted.values()) vessel.kill();
    this.hosted.clear();
    this.queued.clear();
    this.source.close();
  }

  private startNext(): void {
    for (const [dispatcher, effect] of this.queued) {
      if (this.starting.size >= STARTING_MOST) return;
      this.queued.delete(dispatcher);
      this.start(effect);
    }
  }

  private isUp(dispatcher: number): void {
    if (this.starting.delete(dispatcher)) this.startNext();
  }

  private start({
    dispatcher,
    program,
    seed,
    heapOldMb,
    heapYoungMb,
    bufferBytes,
  }: EffectOf<'start_dispatcher'>): void {
    this.starting.add(dispatcher);
    const { name, bytes, digest } = program;
    const begin = { name, program: bytes, digest, seed, epochMs: this.epochMs, bufferBytes };
    const tell = (event: DispatcherEvent): void => {
      if (this.hosted.has(dispatcher)) this.post(event);
    };
    const vessel = this.source.take(
      { heapOldMb, heapYoungMb },
      {
        ready: () => {
          tell({ type: 'dispatcher_started', dispatcher });
          this.isUp(dispatcher);
        },
        turn: (bytesOfTurn) => tell({ type: 'dispatcher_turn', dispatcher, ...this.turnOf(dispatcher, bytesOfTurn) }),
        call: (bytesOfCall) => tell(callOf(dispatcher, bytesOfCall)),
        ended: (cause, text) => {
          tell({ type: 'dispatcher_ended', dispatcher, cause, text });
          this.hosted.delete(dispatcher);
          this.isUp(dispatcher);
        },
      },
    );
    vessel.begin(begin); // read once it runs
    this.hosted.set(dispatcher, { vessel, resumedAt: 0, cpuNs: null });
  }

  private turnOf(
    dispatcher: number,
    bytes: Uint8Array,
  ): Pick<Extract<DispatcherEvent, { type: 'dispatcher_turn' }>, 'turn' | 'fault' | 'ranNs'> {
    const ranNs = nowNs() - (this.hosted.get(dispatcher)?.resumedAt ?? nowNs());
    if (bytes.length > TURN_BYTES_MOST) return { turn: null, fault: `a turn of ${bytes.length} bytes`, ranNs };
    try {
      return { turn: decodeTurn(bytes), fault: '', ranNs };
    } catch (error) {
      if (!(error instanceof BorderError)) throw error;
      return { turn: null, fault: error.message, ranNs };
    }
  }
}

/** Decodes a call; bytes that are none become an invalid turn. */
function callOf(dispatcher: number, bytes: Uint8Array): DispatcherEvent {
  const bad = (fault: string): DispatcherEvent => ({
    type: 'dispatcher_turn',
    dispatcher,
    turn: null,
    fault,
    ranNs: 0,
  });
  if (bytes.length > borderLimit('callNowBytes')) return bad(`a call of ${bytes.length} bytes`);
  try {
    const asked = new PlainReader(bytes).read();
    if (Array.isArray(asked) && typeof asked[0] === 'string' && Array.isArray(asked[1]))
      return { type: 'dispatcher_call', dispatcher, name: asked[0], args: asked[1] };
    return bad('a call must be [name, args]');
  } catch (error) {
    if (!(error instanceof BorderError)) throw error;
    return bad(error.message);
  }
}
