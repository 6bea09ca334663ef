/*
 * What runs next in a dispatcher. Threads are async functions; whatever they wait for is a `Parked` of this queue, and
 * the host never wakes one.
 *
 *   Q1  First woken, first resumed: the order depends only on the order of the calls.
 *   Q2  One strand at a time: the next is woken only when the previous one rests, that is, waits again or has ended. A
 *       strand that waits for a promise of its own making cannot be seen to rest; it gets PATIENCE microtasks.
 *   Q3  A parked wait ends once: later wakes are ignored.
 */

/** A thread as the queue knows it. */
export interface Strand {
  readonly id: number;
  readonly name: string;
  /** It waits for something of the queue, or has ended. */
  resting: boolean;
}

/** A wait in progress. */
export interface Parked<T> {
  readonly promise: Promise<T>;
  /** What it waits for, in words. */
  readonly what: string;
  readonly strand: Strand | null;
  readonly open: boolean;
  wake(value: T): void;
  fail(error: unknown): void;
}

/** The run queue's events for its runtime. */
export interface RunQueueOwner {
  /** After each step of a strand: checks invariants here. */
  stepped(): void;
  /** Nothing is ready: sends the calls gathered for the kernel. */
  rested(): void;
  /** Only yielded strands are ready, or the turn is long enough: ask the kernel for another one. */
  yielded(): void;
  /** A step of the queue itself threw: our own fault. */
  broke(error: unknown): void;
}

/** Microtasks within which a strand must come to rest: more than calls nest in practice, a few microseconds at most. */
const PATIENCE = 64;
/** Steps of one turn before the dispatcher yields: two threads that play ping-pong must not use up a slice. */
const STEPS_A_TURN = 4096;

class Wait<T> implements Parked<T> {
  readonly promise: Promise<T>;
  open = true;
  private resolve!: (value: T) => void;
  private reject!: (error: unknown) => void;
  private outcome: Outcome<T> | null = null;

  constructor(
    private readonly queue: RunQueue,
    readonly strand: Strand | null,
    readonly what: string,
  ) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  wake(value: T): void {
    this.end({ value });
  }

  fail(error: unknown): void {
    this.end({ error });
  }

  settle(): void {
    const { outcome } = this;
    if (outcome === null) return;
    if ('value' in outcome) this.resolve(outcome.value);
    else this.reject(outcome.error);
  }

  /** Records how it ended; returns whether it was still open. */
  decide(outcome: Outcome<T>): boolean {
    if (!this.open) return false;
    this.open = false;
    this.outcome = outcome;
    return true;
  }

  private end(outcome: Outcome<T>): void {
    if (this.decide(outcome)) this.queue.enqueue(this);
  }
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

interface Step {
  readonly strand: Strand | null;
  settle(): void;
}

export class RunQueue {
  /** The running one; null: none, or unknown. */
  current: Strand | null = null;
  private ready: Step[] = [];
  private first = 0;
  private yielders: Step[] = [];
  private readonly parked = new Set<Step & { readonly what: string }>();
  private pumping = false;
  private patience = 0;
  private steps = 0;
  private stopped = false;

  constructor(private readonly owner: RunQueueOwner) {}

  /** Makes the running strand wait; it resumes, in its turn, after `wake` or `fail`. */
  park<T>(what: string): Parked<T> {
    const strand = this.current;
    if (strand !== null) strand.resting = true;
    const wait = new Wait<T>(this, strand, what);
    this.parked.add(wait);
    this.pump();
    return wait;
  }

  /** Makes sure that the owner's `rested` is called before the turn ends. */
  kick(): void {
    this.pump();
  }

  /** A strand's first step. */
  begin(strand: Strand, step: () => void): void {
    this.push({ strand, settle: step });
  }

  /** Resumes the running strand after all that are ready now; if none are, in another turn of the dispatcher. */
  yield(): Promise<void> {
    const { current } = this;
    if (current !== null) current.resting = true;
    const wait = new Wait<void>(this, current, 'its turn');
    wait.decide({ value: undefined });
    this.yielders.push(wait);
    this.pump();
    return wait.promise;
  }

  /** A new turn of the dispatcher: yielded strands are ready again. */
  newTurn(): void {
    this.steps = 0;
    this.takeYielders();
    this.pump();
  }

  /** Nothing resumes: the program has ended. */
  stop(): void {
    this.stopped = true;
    this.ready = [];
    this.first = 0;
    this.yielders = [];
    this.parked.clear();
  }

  /** Waits that have not ended, oldest first. */
  *waiting(): Generator<{ readonly strand: Strand | null; readonly what: string }> {
    yield* this.parked;
  }

  /** The reason a strand waits; null: it does not wait. */
  waitOf(strand: Strand): string | null {
    for (const wait of this.parked) if (wait.strand === strand) return wait.what;
    return null;
  }

  /** A wait was decided: its strand resumes in its turn. */
  enqueue(wait: Step & { readonly what: string }): void {
    this.parked.delete(wait);
    this.push(wait);
  }

  private push(step: Step): void {
    if (this.stopped) return;
    this.ready.push(step);
    this.pump();
  }

  private pump(): void {
    if (this.pumping || this.stopped) return;
    this.pumping = true;
    this.again();
  }

  private again(): void {
    void RESOLVED.then(this.next);
  }

  private readonly next = (): void => {
    if (this.stopped) return;
    const { current } = this;
    if (current !== null && !current.resting && this.patience > 0) {
      this.patience -= 1;
      return this.again();
    }
    try {
      if (current !== null) this.owner.stepped();
      this.current = null;
      if (!this.stopped) this.step();
    } catch (error) {
      this.pumping = false;
      this.owner.broke(error);
    }
  };

  private step(): void {
    const step = this.ready[this.first];
    if (step === undefined || this.steps >= STEPS_A_TURN) return this.rest(step !== undefined);
    this.first += 1;
    if (this.first === this.ready.length || (this.first >= 256 && this.first * 2 >= this.ready.length)) {
      this.ready = this.ready.slice(this.first);
      this.first = 0;
    }
    this.steps += 1;
    this.current = step.strand;
    this.patience = PATIENCE;
    if (step.strand !== null) step.strand.resting = false;
    step.settle();
    this.again();
  }

  /**
   * Nothing is ready: strands that yielded while others were ready are ready now; one that yielded alone gives up the
   * core.
   */
  private rest(tired: boolean): void {
    this.pumping = false;
    if (!tired && this.steps > 0 && this.yielders.length > 1) {
      this.takeYielders();
      return this.pump();
    }
    this.owner.rested();
    if (tired || this.yielders.length > 0) this.owner.yielded();
  }

  private takeYielders(): void {
    const { yielders } = this;
    this.yielders = [];
    this.ready.push(...yielders);
  }
}

const RESOLVED = Promise.resolve();
