import vm from 'node:vm';

/*
 * Promises of the contexts of this thread that were rejected and that nobody holds. V8 tells Node of each, in whatever
 * context it lies, and Node keeps them until its event loop looks. A dispatcher's thread never comes to its event loop,
 * and in the simulator that is too late: so Node is made to look when a turn is over.
 */

/** How a turn is begun: Node would write the library's whole text, which is one line, before what it throws. */
export const RESUMED = { displayErrors: false } as const;

/** Why a promise that nobody holds was rejected. */
export interface Rejection {
  readonly reason: unknown;
}

interface HostProcess extends NodeJS.EventEmitter {
  /** Runs what Node runs between two callbacks; it has no other name for that. */
  readonly _tickCallback?: () => void;
}

/** Node's own process, also where a test runner shows another. */
const host: HostProcess = vm.runInThisContext('process');
const HostPromise: PromiseConstructor = vm.runInThisContext('Promise');
/** The host's own, which may yet be handled before its event loop goes on. */
const judgedLater = new Map<unknown, unknown>();

/** Those of the turn that is over, oldest first. Call it when a context's microtasks have drained. */
export function unhandledRejections(): readonly Rejection[] {
  if (host._tickCallback === undefined) return NONE;
  let found = NONE;
  const { emit } = host;
  host.emit = (name: string | symbol, ...told: unknown[]): boolean => {
    if (name !== 'unhandledRejection') return emit.call(host, name, ...told);
    const [reason, promise] = told;
    if (isOfHost(promise)) judgeLater(promise, reason);
    else found = [...found, { reason }];
    return true;
  };
  try {
    host._tickCallback();
  } catch (reason) {
    found = [...found, { reason }]; // Node reads a property of the promise, of which a program may have made a trap
  } finally {
    host.emit = emit;
  }
  return found;
}

const NONE: readonly Rejection[] = [];

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
