/*
 * Promises of the contexts of this thread that were rejected and that nobody holds. V8 tells Node of each, in whatever
 * context it lies, and Node keeps them until its event loop looks. A dispatcher's thread never comes to its event loop,
 * and in the simulator that is too late: so Node is made to look when a turn is over.
 */
import vm from 'node:vm';
import type { ContextHandle } from '@mk/libmk/dispatcher/context/context-main';

interface HostProcess extends NodeJS.EventEmitter {
  /** Runs what Node runs between two callbacks; it has no other name for that. */
  readonly _tickCallback?: () => void;
}

/** Node's own process, also where a test runner shows another. */
const host: HostProcess = vm.runInThisContext('process');
const HostPromise: PromiseConstructor = vm.runInThisContext('Promise');
/** The host's own, which may yet be handled before its event loop goes on. */
const judgedLater = new Map<unknown, unknown>();

/** Node would write the library's whole text, which is one line, before what it throws. */
const QUIETLY = { displayErrors: false } as const;
const TURN = new vm.Script('mkTurn()', { filename: 'mk:resume' });

/**
 * Runs a turn, the first one after the program's text. Where it leaves a rejected promise that nobody holds, a second run ends the
 * program for that. What a run that throws leaves is dropped here: in the simulator the next turn is another context's.
 */
export function runTurn(
  context: vm.Context,
  handle: Pick<ContextHandle, 'giveRejection'>,
  text: vm.Script | null = null,
  limit: vm.RunningScriptOptions = {},
): void {
  const how = { ...limit, ...QUIETLY };
  let lost: Rejection | null = null;
  try {
    text?.runInContext(context, how);
    TURN.runInContext(context, how);
  } finally {
    lost = unhandledRejection();
  }
  if (lost === null) return;
  handle.giveRejection(lost.reason);
  try {
    TURN.runInContext(context, how);
  } finally {
    unhandledRejection();
  }
}

/** Why a promise that nobody holds was rejected. */
interface Rejection {
  readonly reason: unknown;
}

/** The first since the last call; null: there is none. Call it when a context's microtasks have drained. */
function unhandledRejection(): Rejection | null {
  if (host._tickCallback === undefined) return null;
  let first: Rejection | null = null;
  const { emit } = host;
  host.emit = (name: string | symbol, ...told: unknown[]): boolean => {
    if (name !== 'unhandledRejection') return emit.call(host, name, ...told);
    const [reason, promise] = told;
    if (isOfHost(promise)) judgeLater(promise, reason);
    else first ??= { reason };
    return true;
  };
  try {
    host._tickCallback();
  } catch (reason) {
    first ??= { reason }; // Node reads a property of the promise, of which a program may have made a trap
  } finally {
    host.emit = emit;
  }
  return first;
}

/** A program has no way to a prototype of the host. */
function isOfHost(promise: unknown): boolean {
  try {
    return promise instanceof HostPromise || promise instanceof Promise;
  } catch {
    return false;
  }
}

/** As Node does, when its event loop goes on. */
function judgeLater(promise: unknown, reason: unknown): void {
  if (judgedLater.size === 0) {
    host.on('rejectionHandled', forget);
    setImmediate(() => {
      const left = [...judgedLater];
      judgedLater.clear();
      host.off('rejectionHandled', forget);
      for (const [lost, why] of left) if (!host.emit('unhandledRejection', why, lost)) throw why;
    });
  }
  judgedLater.set(promise, reason);
}

function forget(promise: unknown): void {
  judgedLater.delete(promise);
}
