/*
 * Evaluated first in a dispatcher's bare context, before its program: replaces the host's clock and entropy by the
 * kernel's, and stands between the program and the host. The program never sees the port, the shared memory or the
 * function that lead out of its context.
 */
import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Border, DispatcherEntry } from '../border.ts';
import { borderLimit } from '../limits.ts';
import { BorderError, type PlainValue, PlainWriter } from '../plain-value.ts';
import {
  type Call,
  type CallResult,
  decodeResult,
  decodeResumption,
  encodeTurn,
  TURN_BYTES_MOST,
} from '../protocol.ts';
import { boundRequests } from './bounded-requests.ts';
import { CountedMemory, countMemory } from './counted-memory.ts';
import type { FrameView } from '../frame-view.ts';
import { consoleOf, type MkConsole } from '../../runtime/console.ts';
import { define, installWorld } from './world.ts';

/** How host and context reach each other; the context's `mkContext` until `begin` is called. */
export interface ContextHandle {
  /** Sets up this dispatcher's world. Call before the program's text is evaluated. */
  begin(options: ContextOptions): void;
  /**
   * In a running core: short data crosses in `shared` (shared-words.ts), longer data over `port`, which announces both.
   */
  connectPort(port: ContextPort, shared: ArrayBufferLike): void;
  /** Takes that many bytes from the shared memory as the next resumption. */
  takeShared(length: number): void;
  /** In the simulator: `serve` answers at once, in memory made by `room`. */
  connectFunction(serve: (request: Uint8Array) => Uint8Array | null): void;
  /** Allocates memory of the context. */
  room(length: number): Uint8Array;
  /** The bytes of the next resumption, and the shared memory that they name. */
  give(bytes: Uint8Array, frames?: readonly GivenFrame[]): void;
  /** Its next run of `mkTurn` ends the last turn, in which a promise was rejected without a handler. */
  giveRejection(reason: unknown): void;
  /** The result of the last turn, in memory that the next turn reuses. */
  collect(): Uint8Array;
  /** The same, over the port. */
  post(): void;
}

interface ContextOptions {
  readonly epochMs: number;
  readonly seed: string;
  /** Bytes of ArrayBuffers and WebAssembly memory. */
  readonly memoryBytes: number;
  /** The bytes of ArrayBuffers that the engine holds for the context; null: unknown, or different from run to run. */
  readonly measureBytes: (() => number) | null;
}

/** Shared memory that the kernel hands over, and the number by which an upcall names it. */
export interface GivenFrame {
  readonly frame: number;
  readonly view: FrameView;
}

interface ContextPort {
  postMessage(message: unknown): void;
}

/** Indexes into the memory that a dispatcher's thread shares with the core: see io/dispatchers of the kernel. */
const WORD = { asked: 1, length: 2, interrupt: 3, bytes: 32 } as const;

/** Absent unless V8 exposes it. */
const { gc: collectGarbage } = globalThis;
/**
 * Characters of the text with which a dispatcher fails: a longer text would not cross, and the dispatcher would not
 * end.
 */
const FAILURE_CHARACTERS = 8192;
const { wait, load, store } = Atomics;
const Bytes = Uint8Array;
const Words = Int32Array;

const writer = new PlainWriter(TURN_BYTES_MOST + (1 << 16));
const callWriter = new PlainWriter(borderLimit('callNowBytes'));
let entry: DispatcherEntry | null = null;
/** The runtime's calls. `entry.outgoing` is them, too, and ends what the turn gathers: for `collect` alone. */
let calls: Call[] | null = null;
let inbox: Uint8Array | null = null;
let rejection: { readonly reason: unknown } | null = null;
let startedAt: Nanos = 0;
let until: Nanos = 0;
let workNs: Nanos = 0;
let more = false;
/** The program's text has been evaluated: output now belongs to its turn. */
let isLoaded = false;
let failure: readonly [error: string, text: string] | null = null;
let serve: (request: Uint8Array) => Uint8Array | null = () => null;
let asked: () => boolean = () => false;
let post: (message: unknown) => void = () => undefined;
let box: Uint8Array = new Bytes(0);
const refused: Call[] = [];
const frames = new Map<number, FrameView>();
const FRAMES_KEPT = 4096;
/** Frames that were taken: the CPU driver names one of the last again instead of handing it over. */
const held = new Map<number, FrameView>();
let lastFrame = 0;

const border: Border = {
  attach(given) {
    if (entry !== null) throw new Error('a dispatcher has one runtime');
    entry = given;
    calls = given.outgoing;
  },
  callNow,
  now: () => startedAt + workNs,
  work(ns) {
    if (!(ns >= 0) || !Number.isFinite(ns)) throw new RangeError('work takes a number of nanoseconds');
    workNs = Math.min(Number.MAX_SAFE_INTEGER, workNs + Math.ceil(ns));
  },
  wantsMore() {
    more = true;
  },
  interrupted: () => asked() || startedAt + workNs >= until,
  takeFrame(frame) {
    const view = frames.get(frame);
    if (view === undefined) return held.get(frame) ?? null;
    frames.delete(frame);
    held.set(frame, view);
    const most = borderLimit('framesHeld');
    if (held.size > 2 * most) for (const old of held.keys()) if (old <= lastFrame - most) held.delete(old);
    return view;
  },
  fail(error, text) {
    failure ??= [String(error).slice(0, FAILURE_CHARACTERS), String(text).slice(0, FAILURE_CHARACTERS)];
  },
};

function callNow(name: string, args: readonly PlainValue[]): CallResult {
  try {
    if (typeof name !== 'string' || !Array.isArray(args)) throw new BorderError('a call is (name, args)');
    callWriter.clear();
    callWriter.write([name, args]);
    const answer = serve(callWriter.written());
    if (answer !== null) return decodeResult(answer);
  } catch (error) {
    if (error instanceof BorderError) return bad(error.message);
    return bad('its arguments cannot be read');
  }
  return bad(`${name} was not answered`);
}

/**
 * The program's global `console`. What its file prints while it is evaluated is told at once: if it throws, there is no
 * turn to carry the output.
 */
function globalConsole(): MkConsole {
  return consoleOf((text, stream) => {
    if (isLoaded && calls !== null) calls.push([0, 'print', [text, stream]]);
    else callNow('print', [text, stream]);
  });
}

function bad(text: string): CallResult {
  return { ok: false, error: 'BAD_SYSTEM_CALL', text };
}

/** One turn: hands over the upcalls; the microtasks drain when the calling script ends. */
function turn(): void {
  isLoaded = true;
  if (rejection !== null) return rejected(rejection.reason);
  const resumption = decodeResumption(known(inbox, 'what the dispatcher is resumed with'));
  inbox = null;
  startedAt = resumption.now;
  ({ until } = resumption);
  workNs = 0;
  more = false;
  try {
    if (entry === null) border.fail('NO_PROGRAM', 'the text that was loaded is not a program: it attaches no runtime');
    else entry.resume(resumption.upcalls);
  } catch (error) {
    border.fail('UNCAUGHT', textOf(error));
  }
}

function rejected(reason: unknown): void {
  rejection = null;
  try {
    if (entry?.rejected === undefined) border.fail('UNHANDLED_REJECTION', textOf(reason));
    else entry.rejected(reason);
  } catch (error) {
    border.fail('UNHANDLED_REJECTION', textOf(error));
  }
}

function collect(): Uint8Array {
  const outgoing = entry?.outgoing ?? [];
  if (failure !== null) outgoing.push([0, 'fail', [...failure]]);
  failure = null;
  for (const call of refused.splice(0)) outgoing.push(call);
  return encodeTurn(writer, outgoing, more, workNs, (call, reason) => {
    // The CPU driver answers it in the next turn, as a malformed call.
    const id = Array.isArray(call) && Number.isSafeInteger(call[0]) && call[0] >= 0 ? call[0] : 0;
    refused.push([id, 'malformed', [reason]]);
  });
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  } catch {
    return 'an error that cannot be read';
  }
}

function connectPort(port: ContextPort, shared: ArrayBufferLike): void {
  const words = new Words(shared, 0, WORD.bytes / 4);
  box = new Bytes(shared, WORD.bytes);
  const send = port.postMessage.bind(port);
  post = send;
  asked = () => load(words, WORD.interrupt) !== 0;
  serve = (request) => {
    store(words, WORD.asked, 1);
    box.set(request);
    send(-request.length); // a call; a turn is never negative
    while (load(words, WORD.asked) === 1) wait(words, WORD.asked, 1);
    return box.slice(0, load(words, WORD.length));
  };
}

const handle: ContextHandle = {
  begin({ epochMs, seed, memoryBytes, measureBytes }) {
    const measure = (bytes: () => unknown) => (): number => {
      // The first collection frees in the background; the second waits for that.
      collectGarbage?.();
      collectGarbage?.();
      try {
        return Number(bytes());
      } catch {
        return Infinity; // an error of the host, such as an exhausted stack, must not enter
      }
    };
    const memory = new CountedMemory(memoryBytes, measureBytes && measure(measureBytes));
    installWorld({ epochMs, seed, now: () => border.now() });
    countMemory(memory);
    boundRequests();
    define(globalThis, 'console', globalConsole());
    Object.defineProperty(globalThis, 'mkBorder', { value: Object.freeze(border) });
    Reflect.deleteProperty(globalThis, 'mkContext');
  },
  connectPort,
  connectFunction(given) {
    serve = (request) => {
      try {
        return given(request);
      } catch {
        return null; // whatever it is, an object of the host must not enter
      }
    };
  },
  room: (length) => new Bytes(length),
  give(bytes, given = []) {
    inbox = bytes;
    for (const { frame, view } of given) {
      frames.set(frame, view);
      lastFrame = frame;
    }
    // Callers that asked for frames and left never take them.
    for (const frame of frames.keys()) if (frames.size > FRAMES_KEPT) frames.delete(frame);
  },
  giveRejection(reason) {
    rejection = { reason };
  },
  collect,
  takeShared(length) {
    inbox = box.slice(0, length);
  },
  post() {
    const bytes = collect();
    if (bytes.length > box.length) return post(bytes.slice());
    box.set(bytes);
    post(bytes.length);
  },
};

Object.assign(globalThis, { mkContext: handle, mkTurn: turn });
