/*
 * Finds rejected promises of this thread's contexts that nobody handles. V8 reports each to Node, whatever its context,
 * and Node keeps them until its event loop looks. A dispatcher's thread never returns to its event loop, and in the
 * simulator that is too late, so Node is made to look at the end of a turn.
 */
import vm from 'node:vm';
import type { ContextHandle } from '@mk/libmk/dispatcher/context/context-main';

interface HostProcess extends NodeJS.EventEmitter {
  /** Runs Node's work between two callbacks; there is no public name for it. */
  readonly _tickCallback?: () => void;
}

/** Node's own process, even where a test runner shows another. */
const host: HostProcess = vm.runInThisContext('process');
const HostPromise: PromiseConstructor = vm.runInThisContext('Promise');
/** The host's own rejections, which may yet be handled before its event loop goes on. */
const judgedLater = new Map<unknown, unknown>();

/** Otherwise Node would write the library's whole text, which is one line, before the error. */
const QUIETLY = { displayErrors: false } as const;
const TURN = new vm.Script('mkTurn()', { filename: 'mk:resume' });

/**
 * Runs a turn, the first one after the program's text. If it leaves a rejected promise that nobody handles, a second
 * run ends the program for that. Rejections of a run that throws are dropped here: in the simulator the next turn
 * belongs to another context.
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

/** Why an unhandled promise was rejected. */
interface Rejection {
  readonly reason: unknown;
}

/** The first since the last call; null: there is none. Call it once a context's microtasks have drained. */
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
    first ??= { reason }; // Node reads a property of the promise, which a program may have made a trap
  } finally {
    host.emit = emit;
  }
  return first;
}

/** A program cannot reach a prototype of the host. */
function isOfHost(promise: unknown): boolean {
  try {
    return promise instanceof HostPromise || promise instanceof Promise;
  } catch {
    return false;
  }
}

/** Treats it as Node does, once its event loop goes on. */
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
