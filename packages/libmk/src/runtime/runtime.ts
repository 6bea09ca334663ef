import type { Nanos } from '@mk/monitor-proto/ids';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { Slots } from '../capabilities/slots.ts';
import type { Border, DispatcherEntry } from '../dispatcher/border.ts';
import type { Upcall, UpcallOf, UpcallType } from '../dispatcher/protocol.ts';
import { Threads } from '../threads/threads.ts';
import { Calls } from './calls.ts';
import { formatLine } from './format.ts';
import { Invariants } from './invariants.ts';
import { isMkError, MkError } from './mk-error.ts';
import { type Parked, RunQueue, type RunQueueOwner, type Strand } from './run-queue.ts';
import { errorOf, framesOf, ThrownValue } from './thrown-value.ts';
import type { Clockwork } from './waiting.ts';

/** How a part of the library handles an upcall. */
export type UpcallHandler<T extends UpcallType> = (upcall: UpcallOf<T>) => void;

/**
 * The library OS of one dispatcher: turns upcalls into resumed threads, and threads' requests into system calls. It
 * knows the time, entropy and the rest of the world only through its border, so that the same events give the same
 * turns.
 *
 *   RT1 upcalls of a batch are handled in order, each before any thread that it woke runs
 *   RT2 after `end` nothing of the program runs
 *   RT3 an uncaught error ends the program with the name of the thread
 *   RT4 so does a promise that is rejected and that nobody holds when its turn is over, also a turn that ends the program
 */
export class Runtime implements Clockwork, DispatcherEntry, RunQueueOwner {
  readonly queue: RunQueue;
  readonly timers = new TimerQueue();
  readonly threads: Threads;
  readonly calls: Calls;
  readonly invariants = new Invariants();
  readonly slots = new Slots();
  /** Called once, when nothing runs any more: parts of the library report their leftovers. */
  readonly leavers: (() => readonly string[])[] = [];
  private readonly handlers = new Map<UpcallType, UpcallHandler<never>>();
  private readonly before: (() => void)[] = [];
  private readonly afterRest: (() => void)[] = [];
  private readonly untilNextTurn: Parked<void>[] = [];
  private timerAt: Nanos = Infinity;
  private over = false;
  private random: Prng | null = null;

  constructor(readonly border: Border) {
    this.queue = new RunQueue(this);
    this.calls = new Calls(this, border);
    this.threads = new Threads(this, (thread, error) => this.failed(thread, error));
    this.on('reply', (reply) => this.calls.answered(reply));
    this.on('timer', () => this.timersDue());
    this.on('interrupt', () => undefined);
  }

  /** System calls for the host to collect after the turn, batched into as few as possible. */
  get outgoing(): Calls['outgoing'] {
    if (!this.over) this.flush();
    return this.calls.outgoing;
  }

  get ended(): boolean {
    return this.over;
  }

  now(): Nanos {
    return this.border.now();
  }

  /** Random numbers that only the kernel's seed decides. */
  get prng(): Prng {
    if (this.random === null) throw new Error('random numbers before the program was run');
    return this.random;
  }

  seed(seed: string): void {
    this.random = createPrng(seed);
  }

  /** Sets the handler of a kind of upcall; one each. */
  on<T extends UpcallType>(type: T, handler: UpcallHandler<T>): void {
    if (this.handlers.has(type)) throw new Error(`two handlers for upcall ${type}`);
    this.handlers.set(type, handler);
  }

  /**
   * Calls `flush` when the host collects a turn's calls, to turn gathered work into system calls. It must not wake a
   * thread.
   */
  beforeTurnEnds(flush: () => void): void {
    this.before.push(flush);
  }

  /** Calls `run` once when the threads that are ready now have come to rest, in this turn. */
  whenRested(run: () => void): void {
    this.afterRest.push(run);
    this.queue.kick();
  }

  /** Requests the dispatcher's next turn and waits for it: by then the kernel has everything that this one gathered. */
  nextTurn(): Promise<void> {
    const parked = this.queue.park<void>('its next turn');
    this.untilNextTurn.push(parked);
    this.border.wantsMore();
    return parked.promise;
  }

  resume(upcalls: readonly Upcall[]): void {
    if (this.over) return;
    for (const parked of this.untilNextTurn.splice(0)) parked.wake(undefined);
    for (const upcall of upcalls) {
      if (this.over) return;
      (this.handlers.get(upcall.type) as UpcallHandler<UpcallType> | undefined)?.(upcall);
    }
    if (this.over) return;
    this.timersDue();
    this.queue.newTurn();
  }

  /**
   * What the program would leave behind if it ended now, as seen by this thread: other unjoined threads, channels,
   * locks.
   */
  leftovers(teller: Strand | null = null): readonly string[] {
    return [...this.threads.leftovers(teller), ...this.leavers.flatMap((leaver) => leaver())];
  }

  /** Ends the program; `exit` is its last system call. BAD_REQUEST: not a valid status. */
  end(status: number): void {
    if (this.over) return;
    if (!Number.isSafeInteger(status))
      throw new MkError('BAD_REQUEST', `${formatLine([status])} is not an exit status: use a whole number`);
    this.flush();
    this.over = true;
    this.queue.stop();
    this.calls.tell('exit', [status]);
  }

  /** Ends the program with an uncaught error. */
  failed(thread: Strand | null, error: unknown): void {
    if (this.over) return;
    const caught = errorOf(error);
    const name = isMkError(caught) ? caught.name : 'PROGRAM_FAILED';
    const where = thread === null ? '' : `thread ${thread.name}: `;
    this.fail(name, `${where}${describe(caught)}`);
  }

  /** RT4. */
  rejected(reason: unknown): void {
    const { outgoing } = this.calls;
    const exit = outgoing.findLastIndex(([, name]) => name === 'exit');
    if (exit >= 0) outgoing.splice(exit, 1);
    else if (this.over) return;
    this.fail('UNHANDLED_REJECTION', `a promise that nobody held: ${describe(reason)}`);
  }

  private fail(name: string, text: string): void {
    if (!this.over) this.flush();
    this.over = true;
    this.queue.stop();
    this.border.fail(name, text);
  }

  /** Checks the program's invariants, after each step of a thread and after anything that runs without one. */
  checkInvariants(): void {
    try {
      this.invariants.checkAll();
    } catch (error) {
      this.failed(this.queue.current, error);
    }
  }

  // Events of the run queue.

  stepped(): void {
    this.invariants.checkAll();
  }

  rested(): void {
    for (const run of this.afterRest.splice(0)) run();
  }

  yielded(): void {
    this.border.wantsMore();
  }

  broke(error: unknown): void {
    this.failed(this.queue.current, error);
  }

  private timersDue(): void {
    const now = this.now();
    if (this.timerAt <= now) this.timerAt = Infinity;
    this.timers.expire(now);
  }

  private flush(): void {
    for (const flush of this.before) flush();
    const { next } = this.timers;
    if (next >= this.timerAt) return;
    this.timerAt = next;
    this.calls.tell('set_timer', [0, next]);
  }
}

/** Describes a thrown value for people: with its stack, which the host maps to the program's source. */
export function describe(thrown: unknown): string {
  const error = errorOf(thrown);
  if (error instanceof ThrownValue) return `threw ${error.shown}, which is not an Error`;
  const { stack } = error;
  if (isMkError(error)) return [error.message, ...framesOf(stack)].join('\n'); // its message contains its name
  return stack !== undefined && stack.includes(error.message) ? stack : `${error.name}: ${error.message}`;
}
