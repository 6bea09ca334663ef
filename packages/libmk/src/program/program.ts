import { isRecord } from '@mk/monitor-proto/guards';
import { type Border, border, borderHere } from '../dispatcher/border.ts';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import type { UpcallOf } from '../dispatcher/protocol.ts';
import type { Interface, Methods } from '../interface/interface.ts';
import { SmallAbortController } from '../runtime/cancellation.ts';
import { formatLine } from '../runtime/format.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Strand } from '../runtime/run-queue.ts';
import { Runtime } from '../runtime/runtime.ts';
import type { Migration } from '../threads/remote-threads.ts';
import { MEMORY_ENTRY, Mk } from './mk.ts';

/** What a program's main function returns: its exit status, or nothing for 0. */
export type Main = (mk: Mk) => Promise<number | void> | number | void;
/** A thread that can begin on any core of the domain: its state is all that it gets. */
export type NamedThread = (
  mk: Mk,
  state: never,
) => Promise<PlainValue | Migration | void> | PlainValue | Migration | void;

/** A program's declaration of itself. */
export interface ProgramSpec {
  readonly name: string;
  /** The interfaces that it offers or uses, for lists of programs. */
  readonly interfaces?: readonly Interface<Methods>[];
  /** Threads that can be begun on other cores, by name. */
  readonly threads?: Readonly<Record<string, NamedThread>>;
  /** Runs on the core of another dispatcher of the domain, before any of its threads. */
  readonly onSpan?: (mk: Mk) => Promise<void> | void;
  /** A domain that ends with leftover threads, channels or locks has failed: LEFTOVERS. */
  readonly strict?: boolean;
}

/** A program: `start` runs it in a dispatcher. */
export interface Program {
  readonly spec: ProgramSpec;
  readonly main: Main;
}

/**
 * Defines a program. In a dispatcher it begins to run when the kernel says so; anywhere else it is only a value.
 *
 * @example
 * export const main = program({ name: 'hello' }, async (mk) => {
 *   mk.console.log(`hello from core ${mk.self.core}`);
 * });
 */
export function program(spec: ProgramSpec, main: Main): Program {
  const made: Program = { spec, main };
  const found = borderHere();
  if (found !== undefined) attach(made, found);
  return made;
}

/**
 * Runs what a program's file exports as `main`: a program, or a plain function. Call it while the file is evaluated.
 */
export function start(main: Program | Main, name = 'program'): void {
  const here = border();
  if (typeof main === 'function') return attach({ spec: { name }, main }, here);
  if (isRecord(main) && typeof main['main'] === 'function') return attach(main, here);
  here.fail('NO_PROGRAM', `${name} exports no main: export a function of mk, or the result of program(…)`);
}

const ATTACHED = new WeakMap<Border, Runtime>();

/** Makes the runtime of a dispatcher; the first program of a file counts. */
function attach(made: Program, to: Border): void {
  if (ATTACHED.has(to)) return;
  const runtime = new Runtime(to);
  ATTACHED.set(to, runtime);
  to.attach(runtime);
  runtime.on('run', (run) => begin(runtime, made, run));
}

/** The first upcall: starts the main thread in the first dispatcher; other dispatchers wait for threads. */
export function begin(runtime: Runtime, { spec, main }: Program, run: UpcallOf<'run'>): void {
  runtime.seed(`${run.domain}/${run.core}/${chance()}`);
  const mk: Mk = new Mk(runtime, run, (entry, state) => runEntry(mk, spec, entry, state));
  provide('AbortController', SmallAbortController);
  if (mk.self.part === 'span') {
    if (spec.onSpan !== undefined) runtime.threads.spawn('onSpan', () => spec.onSpan?.(mk)).detach();
    return;
  }
  const thread = runtime.threads.spawn('main', async (self) => end(runtime, spec, self, await main(mk)));
  thread.detach();
}

/** Main has returned: ends the domain, unless a thread failed that nobody joined. */
function end(runtime: Runtime, spec: ProgramSpec, own: Strand, returned: number | void): void {
  const [failure] = runtime.threads.failures();
  if (failure !== undefined) return runtime.failed(failure.thread, failure.error);
  if (returned !== undefined && !Number.isSafeInteger(returned))
    throw new MkError('BAD_REQUEST', `main returned ${formatLine([returned])}: an exit status is a whole number`);
  const left = spec.strict === true ? runtime.leftovers(own) : [];
  if (left.length > 0) return runtime.failed(null, new MkError('LEFTOVERS', left.join('; ')));
  runtime.end(returned ?? 0);
}

async function runEntry(mk: Mk, { threads = {} }: ProgramSpec, entry: string, state: PlainValue) {
  if (entry === MEMORY_ENTRY) return mk.memory.serve(state);
  const body = Object.hasOwn(threads, entry) ? threads[entry] : undefined;
  if (body === undefined)
    throw new MkError(
      'NO_SUCH_THREAD',
      `the program has no thread ${entry}: ${Object.keys(threads).join(', ') || 'none'}`,
    );
  return (await body(mk, state as never)) ?? null;
}

/** Adds a value to the program's world, under a name that is not taken. */
function provide(name: string, value: unknown): void {
  if (Reflect.get(globalThis, name) === undefined) Reflect.set(globalThis, name, value);
}

/** Seeds a dispatcher's randomness from `Math.random` of its context, which is the kernel's. */
function chance(): number {
  const { random } = Math;
  return random();
}
