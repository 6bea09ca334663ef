import { LONGEST_TIMEOUT_MS } from './long-timer.ts';
import { Worker } from 'node:worker_threads';
import type { Nanos } from '../ids.ts';

/**
 * One timer with a precision of some ten microseconds, for shaped links.
 *
 * Node's own timers are whole milliseconds and fire 0.3 to 1.2 ms late; polling is exact but burns a CPU that 31 other
 * cores want. So a helper thread sleeps in `Atomics.wait` until shortly before the due time and posts a message; the
 * main thread polls for the rest, which is the spread of wake-up times. The first `arm` starts the thread, which never
 * keeps the process alive and costs about 9 MiB; until it runs (some 40 ms), and where it cannot, Node's timer and
 * polling replace it.
 */
export interface PreciseTimer {
  /** Calls `onDue` at `atNs` or right after, never before. Of several calls before then, the earliest counts. */
  arm(atNs: Nanos): void;
  /** The measured cost of waking an idle process on this machine at present; 0 before the first measurement. */
  readonly wakeCostNs: Nanos;
  /** Ends the helper thread; nothing fires afterwards. */
  close(): void;
}

/** Makes a timer on the caller's clock; `onDue` runs once per due time and arms the next. Free until `arm`. */
export function createPreciseTimer(nowNs: () => Nanos, onDue: () => void): PreciseTimer {
  return new ThreadTimer(nowNs, onDue);
}

/** Waits shorter than this are polled: a trip through the helper takes longer. */
const POLL_NS = 60_000;
/** Node's timer is set this much early, because that is how late it may be. */
const COARSE_SLACK_NS = 1_200_000;
/** The longest wake-up assumed: a busy machine must not make us poll for long. */
const MAX_LEAD_NS = 400_000;
const FIRST_LEAD_NS = 150_000;
/** The lead follows the measured wake-ups, an eighth of the difference each time. */
const LEAD_GAIN = 0.125;
/** The lead covers two wake-ups: the helper's, then this thread's. */
const WAKES_PER_LEAD = 2;

/** Words of the shared memory: a generation number to wait on, and (as a float at byte 8) the due time. */
const SHARED_BYTES = 16;

/** The helper thread; text, because the program is bundled into one file. Times are on process.hrtime's clock. */
const SLEEPER = `
const { parentPort, workerData } = require('node:worker_threads');
const words = new Int32Array(workerData);
const due = new Float64Array(workerData);
const now = () => { const [s, ns] = process.hrtime(); return s * 1e9 + ns; };
parentPort.postMessage('ready');
for (;;) {
  const generation = Atomics.load(words, 0);
  const left = due[1] - now();
  if (left > 0) { Atomics.wait(words, 0, generation, left / 1e6); continue; }
  parentPort.postMessage('wake');
  Atomics.wait(words, 0, generation);
}`;

class ThreadTimer implements PreciseTimer {
  private readonly nowNs: () => Nanos;
  private readonly onDue: () => void;
  private readonly words: Int32Array;
  private readonly due: Float64Array;
  private worker: Worker | null = null;
  private ready = false;
  private closed = false;
  private atNs = Infinity;
  /** When the helper is to wake us, on our clock; Infinity: it sleeps. */
  private wakeAtNs = Infinity;
  private leadNs = FIRST_LEAD_NS;
  private measured = false;
  private coarse: NodeJS.Timeout | null = null;
  private polling: NodeJS.Immediate | null = null;

  constructor(nowNs: () => Nanos, onDue: () => void) {
    this.nowNs = nowNs;
    this.onDue = onDue;
    const shared = new SharedArrayBuffer(SHARED_BYTES);
    this.words = new Int32Array(shared);
    this.due = new Float64Array(shared);
    this.due[1] = Infinity;
  }

  arm(atNs: Nanos): void {
    if (this.closed || atNs >= this.atNs) return;
    this.atNs = atNs;
    if (this.worker === null) this.start();
    this.wait();
  }

  get wakeCostNs(): Nanos {
    return this.measured ? this.leadNs / WAKES_PER_LEAD : 0;
  }

  close(): void {
    this.closed = true;
    this.atNs = Infinity;
    this.stopWaiting();
    void this.worker?.terminate();
  }

  private start(): void {
    this.worker = new Worker(SLEEPER, {
      eval: true,
      workerData: this.words.buffer,
      execArgv: [],
      name: 'precise-timer',
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
    });
    this.worker.on('message', (what: string) => this.heard(what));
    this.worker.on('error', () => this.lost());
    this.worker.unref();
  }

  private heard(what: string): void {
    if (this.closed) return;
    if (what === 'ready') this.ready = true;
    else this.woken();
    if (this.atNs < Infinity && this.polling === null) this.fireOrWait();
  }

  private woken(): void {
    if (this.wakeAtNs === Infinity) return;
    const tookNs = Math.min(this.nowNs() - this.wakeAtNs, MAX_LEAD_NS);
    this.leadNs += (tookNs - this.leadNs) * LEAD_GAIN;
    this.wakeAtNs = Infinity;
    this.measured = true;
  }

  /** Node's timer and polling keep the promise without the helper, at a higher price. */
  private lost(): void {
    this.ready = false;
    if (this.atNs < Infinity) this.wait();
  }

  private wait(): void {
    if (this.polling !== null) return;
    const leftNs = this.atNs - this.nowNs();
    if (leftNs <= this.leadNs + POLL_NS) this.poll();
    else if (this.ready) this.waitInThread(leftNs);
    else this.waitCoarsely(leftNs);
  }

  private waitInThread(leftNs: Nanos): void {
    const wakeAtNs = this.atNs - this.leadNs;
    if (wakeAtNs >= this.wakeAtNs) return;
    this.wakeAtNs = wakeAtNs;
    const [s, ns] = process.hrtime();
    this.due[1] = s * 1e9 + ns + leftNs - this.leadNs;
    Atomics.add(this.words, 0, 1);
    Atomics.notify(this.words, 0);
  }

  private waitCoarsely(leftNs: Nanos): void {
    if (this.coarse !== null) clearTimeout(this.coarse);
    this.coarse = null;
    const ms = Math.floor((leftNs - COARSE_SLACK_NS) / 1e6);
    if (ms < 1) return this.poll();
    this.coarse = setTimeout(() => this.fireOrWait(), Math.min(LONGEST_TIMEOUT_MS, ms));
    this.coarse.unref();
  }

  private poll(): void {
    if (this.polling !== null) return;
    this.polling = setImmediate(() => {
      this.polling = null;
      this.fireOrWait();
    });
  }

  private fireOrWait(): void {
    if (this.closed || this.atNs === Infinity) return;
    if (this.nowNs() < this.atNs) return this.wait();
    this.atNs = Infinity;
    this.stopWaiting();
    this.onDue();
  }

  private stopWaiting(): void {
    if (this.coarse !== null) clearTimeout(this.coarse);
    if (this.polling !== null) clearImmediate(this.polling);
    this.coarse = null;
    this.polling = null;
  }
}
