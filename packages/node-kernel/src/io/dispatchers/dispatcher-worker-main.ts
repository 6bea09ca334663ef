/*
 * The thread of one dispatcher. It never returns to its event loop: it waits in Atomics.wait until its core sends
 * something, runs a turn in the bare context, and waits again. The port moved into the context is the only bridge, and
 * the code in there never gives it to the program.
 */
import { bareContext } from './bare-context.ts';
import { runTurn } from './unhandled-rejections.ts';
import { known } from '@mk/monitor-proto/assert';
import { setPriority } from 'node:os';
import vm from 'node:vm';
import v8 from 'node:v8';
import { type MessagePort, moveMessagePortToContext, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { GivenFrame } from '@mk/libmk/dispatcher/context/context-main';
import { GLOBALS_SCRIPT } from '@mk/libmk/dispatcher/context/global-names';
import type { BeginOptions } from './dispatcher-host.ts';
import { BOX_AT, NICE, WORDS } from './shared-words.ts';
import type { WorkerData, WorkerNews } from './worker-vessel.ts';

/** Rejects with a value that is not an object of this realm: one of Node's errors would lead out of the context. */
function noImport(): never {
  throw 'programs are one bundle: they cannot import()'; // eslint-disable-line no-throw-literal
}

const { contextText, shared, bridge, control } = workerData as WorkerData;
const words = new Int32Array(shared, 0, BOX_AT / 4);

// On Linux this affects only this thread: its core's monitor has priority.
if (process.platform === 'linux') setPriority(0, NICE);

v8.setFlagsFromString('--expose-gc');
const { context, handle } = bareContext(
  new vm.Script(contextText, { filename: 'mk:context', importModuleDynamically: noImport }),
);
v8.setFlagsFromString('--no-expose-gc');
// The moved port delivers objects of the context's own realm.
const moved = moveMessagePortToContext(bridge, context) as MessagePort;

function say(news: WorkerNews): void {
  control.postMessage(news);
}

/** Waits for the condition; meanwhile the program has no thread to run on. */
function until(condition: () => boolean): void {
  for (let seen = Atomics.load(words, WORDS.wake); !condition(); seen = Atomics.load(words, WORDS.wake))
    Atomics.wait(words, WORDS.wake, seen);
}

/** Waits for the core's next message over a port. */
function next(port: MessagePort): unknown {
  let received: { readonly message: unknown } | undefined;
  until(() => (received = receiveMessageOnPort(port) as typeof received) !== undefined);
  return known(received).message;
}

/** Takes the bytes of the next resumption into the context. */
function take(): void {
  until(() => Atomics.exchange(words, WORDS.resumed, 0) === 1);
  const length = Atomics.load(words, WORDS.length);
  if (length >= 0) handle.takeShared(length);
  else {
    const { bytes, frames } = next(moved) as { readonly bytes: Uint8Array; readonly frames: readonly GivenFrame[] };
    handle.give(bytes, frames);
  }
}

function run(): void {
  say({ type: 'ready' });
  const { name, program, seed, epochMs, bufferBytes } = next(control) as BeginOptions;
  handle.connectPort(moved, shared);
  handle.begin({ epochMs, seed, memoryBytes: bufferBytes, measureBytes: () => process.memoryUsage().arrayBuffers });
  new vm.Script(GLOBALS_SCRIPT, { filename: 'mk:globals' }).runInContext(context);
  const text = Buffer.from(program).toString('utf8');
  let script: vm.Script | null = new vm.Script(text, { filename: name, importModuleDynamically: noImport });
  for (;;) {
    take();
    runTurn(context, handle, script);
    script = null;
    handle.post();
  }
}

try {
  run();
} catch (error) {
  const { name, text } = described(error);
  say({ type: 'ended', cause: name === 'SyntaxError' ? 'NO_PROGRAM' : 'UNCAUGHT', text });
}

/** Describes an error of the context, which may be anything. */
function described(error: unknown): { readonly name: string; readonly text: string } {
  try {
    const { name, message, stack } = error as Record<string, unknown>;
    return { name: String(name), text: String(stack ?? message ?? error).slice(0, 8192) };
  } catch {
    return { name: 'Error', text: 'an error that cannot be read' };
  }
}
