/**
 * The engine as the knowledge base sees it: a thread, its jobs and a watchdog.
 *
 * Guarantees: the caller's event loop never waits for Prolog; every query ends exactly once, with answers or a named
 * error; facts and rules survive the thread, which is replaced when a query cannot be stopped, when it crashes, or when
 * its memory has grown too far. Unanswered queries that were inside it then run again.
 */
import { Worker } from 'node:worker_threads';
import { FactStore } from '../../facts/fact-store.ts';
import { factText } from '../../facts/fact.ts';
import { placeOf } from '../answer.ts';
import { ENGINE_LIMITS } from '../limits.ts';
import type { Failure, Job, JobBody, Program, WorkerEvent, WorkerStart } from '../protocol.ts';
import { STATUS, STATUS_BYTES, cancelSlot } from '../protocol.ts';
import type { QueryOptions, QuerySink, Solution } from '@mk/monitor-proto/knowledge/query';
import { QueryError } from '@mk/monitor-proto/knowledge/query';
import { collect, streamed } from '@mk/monitor-proto/knowledge/sinks';
import type { FactChange, FactUpdate, RefusedProgram, SkbEngine } from '../skb-engine.ts';

export interface WorkerEngineOptions {
  /** The bundled `worker-main`, a CommonJS or ES module file. */
  readonly workerPath: string;
  /** The state saved by `save-state`. */
  readonly state: Uint8Array;
  /** Called when a thread is replaced, for the log. */
  readonly onRestart?: (reason: string) => void;
  /**
   * Called while a query runs, with its goal and the growth of the process since it began; with null once none runs.
   */
  readonly onLook?: (goal: string | null, grownMebibytes: number) => void;
}

interface Entry {
  readonly job: Job;
  readonly text: string;
  readonly sink: QuerySink;
  answered: boolean;
  retries: number;
}

export class WorkerEngine implements SkbEngine {
  readonly ready: Promise<void>;
  private readonly options: WorkerEngineOptions;
  private readonly facts = new FactStore();
  private readonly rules = new Map<string, string>();
  private readonly outstanding = new Map<number, Entry>();
  private queue: Entry[] = [];
  private worker: Worker;
  private status: Int32Array = new Int32Array(0);
  private isReady = false;
  private closed = false;
  private nextId = 1;
  private flushScheduled = false;
  private watchdog: NodeJS.Timeout | undefined;
  private watched = { id: 0, sinceMs: 0, mebibytes: 0 };
  private loadFailures = 0;
  /** Resident memory when the thread became ready, and the watchdog's last reading beyond it. */
  private startMebibytes = 0;
  private grownMebibytes = 0;
  private settleReady: { resolve: () => void; reject: (error: Error) => void } = {
    resolve: () => {},
    reject: () => {},
  };

  constructor(options: WorkerEngineOptions) {
    this.options = options;
    this.ready = new Promise((resolve, reject) => {
      this.settleReady = { resolve, reject };
    });
    this.ready.catch(() => undefined);
    this.worker = this.startWorker();
  }

  /** How many facts the engine holds. */
  get factCount(): number {
    return this.facts.size;
  }

  async updateFacts(update: FactUpdate): Promise<FactChange> {
    const change = this.facts.apply(update);
    const removed = change.removed.map(factText);
    const added = change.added.map(factText);
    if (removed.length + added.length > 0) await this.perform({ type: 'facts', removed, added }, '');
    return change;
  }

  async setRules(name: string, text: string): Promise<void> {
    const refused = refusedText(text, ENGINE_LIMITS.maxRulesChars);
    if (refused !== undefined) throw refused;
    await this.perform({ type: 'rules', name, text }, text);
    this.rules.set(name, text);
  }

  async removeRules(name: string): Promise<void> {
    this.rules.delete(name);
    await this.perform({ type: 'remove_rules', name }, '');
  }

  async restoreRules(programs: readonly Program[]): Promise<readonly RefusedProgram[]> {
    if (programs.length === 0) return [];
    const refused = await this.perform({ type: 'restore_rules', programs }, '');
    const names = new Set(refused.map(({ bindings }) => bindings['name']));
    for (const { name, text } of programs) if (!names.has(name)) this.rules.set(name, text);
    return refused.map(({ bindings }) => ({ name: String(bindings['name']), why: String(bindings['why']) }));
  }

  run(goal: string, options: QueryOptions, sink: QuerySink): () => void {
    const refused = refusedText(goal, ENGINE_LIMITS.maxGoalChars);
    if (refused !== undefined) {
      sink.end({ more: false, error: refused });
      return () => undefined;
    }
    const id = this.enqueue({ type: 'query', goal, ...boundsOf(options) }, goal, sink);
    return () => this.cancel(id);
  }

  query(goal: string, options: QueryOptions = {}): Promise<{ solutions: readonly Solution[]; more: boolean }> {
    return collect((sink) => this.run(goal, options, sink));
  }

  stream(goal: string, options: QueryOptions = {}): AsyncGenerator<Solution, { readonly more: boolean }> {
    return streamed((sink) => this.run(goal, options, sink));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.watchdog);
    const entries = [...this.outstanding.values(), ...this.queue];
    this.outstanding.clear();
    this.queue = [];
    for (const entry of entries) fail(entry, new QueryError('EngineClosed', 'the knowledge base is closing'));
    await this.worker.terminate();
  }

  private async perform(body: JobBody, text: string): Promise<readonly Solution[]> {
    const { solutions } = await collect((sink) => {
      this.enqueue(body, text, sink);
      return () => undefined;
    });
    return solutions;
  }

  private enqueue(body: JobBody, text: string, sink: QuerySink): number {
    const id = this.nextId++;
    const entry: Entry = { job: { id, ...body }, text, sink, answered: false, retries: 0 };
    if (this.closed) fail(entry, new QueryError('EngineClosed', 'the knowledge base is closing'));
    else if (body.type === 'query' && this.queue.length >= ENGINE_LIMITS.maxQueuedJobs) {
      fail(entry, new QueryError('EngineBusy', `${this.queue.length} queries wait already`));
    } else {
      this.queue.push(entry);
      this.scheduleFlush();
    }
    return id;
  }

  /** Jobs submitted in one turn of the event loop share a message to the thread. */
  private scheduleFlush(): void {
    if (this.flushScheduled || !this.isReady) return;
    this.flushScheduled = true;
    queueMicrotask(() => {
      this.flushScheduled = false;
      this.sendQueued();
    });
  }

  private sendQueued(): void {
    const room = ENGINE_LIMITS.maxOutstandingJobs - this.outstanding.size;
    if (!this.isReady || this.closed || room <= 0 || this.queue.length === 0) return;
    const entries = this.queue.splice(0, room);
    for (const entry of entries) this.outstanding.set(entry.job.id, entry);
    this.worker.postMessage(entries.map((entry) => entry.job));
    this.watchdog ??= setInterval(() => this.watch(), ENGINE_LIMITS.watchdogMs);
  }

  private cancel(id: number): void {
    const waiting = this.queue.findIndex((entry) => entry.job.id === id);
    if (waiting >= 0) {
      const [entry] = this.queue.splice(waiting, 1);
      if (entry !== undefined) fail(entry, new QueryError('QueryCancelled', 'nobody waits for it'));
    } else if (this.outstanding.has(id)) {
      Atomics.store(this.status, cancelSlot(id), id);
    }
  }

  private startWorker(): Worker {
    const status = new SharedArrayBuffer(STATUS_BYTES);
    this.status = new Int32Array(status);
    this.isReady = false;
    const start: WorkerStart = {
      state: this.options.state,
      facts: this.facts.list().map(factText),
      rules: [...this.rules].map(([name, text]) => ({ name, text })),
      status,
    };
    const worker = new Worker(this.options.workerPath, { workerData: start });
    const ifCurrent = (act: () => void): void => {
      if (worker === this.worker && !this.closed) act();
    };
    worker.on('message', (events: readonly WorkerEvent[]) => ifCurrent(() => this.onEvents(worker, events)));
    worker.on('error', (error: Error) => ifCurrent(() => this.replace(`thread failed: ${error.message}`, undefined)));
    worker.on('exit', (code: number) => ifCurrent(() => this.replace(`thread ended with ${code}`, undefined)));
    worker.unref();
    return worker;
  }

  private onEvents(worker: Worker, events: readonly WorkerEvent[]): void {
    for (const event of events) {
      // A crash replaces the thread in the middle of a batch; the rest of the batch concerns the old thread.
      if (worker !== this.worker) return;
      this.onEvent(event);
    }
    if (this.outstanding.size === 0) this.rest();
    this.sendQueued();
  }

  private onEvent(event: WorkerEvent): void {
    if (event.type === 'ready') {
      this.isReady = true;
      this.startMebibytes = residentMebibytes();
      this.grownMebibytes = 0;
      this.loadFailures = 0;
      this.settleReady.resolve();
    } else if (event.type === 'load_failed') this.replace(`could not load: ${event.detail}`, undefined);
    else if (event.type === 'crashed') {
      this.replace(`crashed: ${event.detail}`, new QueryError('QueryCrashedEngine', event.detail), event.id);
    } else this.onAnswer(event);
  }

  private onAnswer(event: Extract<WorkerEvent, { readonly id: number; readonly type: 'solutions' | 'end' }>): void {
    const entry = this.outstanding.get(event.id);
    if (entry === undefined) return;
    if (event.type === 'solutions') {
      entry.answered = true;
      entry.sink.solutions(event.batch);
      return;
    }
    this.outstanding.delete(event.id);
    const error = event.failure === undefined ? undefined : errorOf(event.failure, entry.text);
    entry.sink.end({ more: event.more, ...(error === undefined ? {} : { error }) });
  }

  /** Nothing runs: the watchdog may stop, and a thread that has grown too large may be replaced. */
  private rest(): void {
    clearInterval(this.watchdog);
    this.watchdog = undefined;
    this.options.onLook?.(null, 0);
    if (this.grownMebibytes <= ENGINE_LIMITS.maxGrowthMebibytes) return;
    this.replace(`its memory grew by ${this.grownMebibytes.toFixed(0)} MiB`, undefined);
  }

  private watch(): void {
    this.grownMebibytes = residentMebibytes() - this.startMebibytes;
    const id = Atomics.load(this.status, STATUS.runningJob);
    const nowMs = performance.now();
    const residentNow = this.startMebibytes + this.grownMebibytes;
    if (id !== this.watched.id) this.watched = { id, sinceMs: nowMs, mebibytes: residentNow };
    const job = this.outstanding.get(id)?.job;
    this.options.onLook?.(job?.type === 'query' ? job.goal : null, residentNow - this.watched.mebibytes);
    if (job?.type !== 'query') return;
    if (nowMs - this.watched.sinceMs <= job.timeLimitMs + ENGINE_LIMITS.unstoppableGraceMs) return;
    const error = new QueryError('QueryTimeLimit', `it could not be stopped after ${job.timeLimitMs} ms`);
    this.replace('a query could not be stopped', error, id);
  }

  /** Ends the thread and starts another with the same facts and rules; `culprit` fails with `error`. */
  private replace(reason: string, error: QueryError | undefined, culprit?: number): void {
    this.options.onRestart?.(reason);
    const previous = this.worker;
    const inside = [...this.outstanding.values()];
    const running = culprit ?? Atomics.load(this.status, STATUS.runningJob);
    this.outstanding.clear();
    if (!this.isReady && ++this.loadFailures > ENGINE_LIMITS.maxRetries) return this.giveUp(reason);
    this.worker = this.startWorker();
    void previous.terminate();
    const retried: Entry[] = [];
    for (const entry of inside) {
      if (entry.job.id === running) fail(entry, error ?? new QueryError('QueryCrashedEngine', reason));
      else if (entry.job.type === 'facts') entry.sink.end({ more: false });
      else if (entry.answered || ++entry.retries > ENGINE_LIMITS.maxRetries) fail(entry, restarted(reason));
      else retried.push(entry);
    }
    // The new thread starts from the whole store, which includes waiting updates.
    const [updates, others] = partition(this.queue, (entry) => entry.job.type === 'facts');
    for (const entry of updates) entry.sink.end({ more: false });
    this.queue = [...retried, ...others];
  }

  private giveUp(reason: string): void {
    this.settleReady.reject(new QueryError('EngineClosed', reason));
    void this.close();
  }
}

/** UTF-8 cannot express half of a surrogate pair: it would arrive as another character. */
const HALF_A_PAIR = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Refuses text that must not reach Prolog's reader. Brackets in quotes count too: nobody writes 400 open ones. */
function refusedText(text: string, maxChars: number): QueryError | undefined {
  if (text.length > maxChars) return new QueryError('QueryTooLong', `it may have ${maxChars} characters`);
  const half = HALF_A_PAIR.exec(text);
  if (half !== null) {
    const code = text.charCodeAt(half.index).toString(16);
    return new QueryError(
      'QuerySyntaxError',
      `\\u${code} is half of a surrogate pair, and no character`,
      placeOf(text, half.index),
    );
  }
  let depth = 0;
  for (const character of text) {
    if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    if (depth > ENGINE_LIMITS.maxNesting) {
      return new QueryError('QueryTooDeep', `brackets may be nested ${ENGINE_LIMITS.maxNesting} deep`);
    }
  }
  return undefined;
}

function residentMebibytes(): number {
  return process.memoryUsage.rss() / 1_048_576;
}

function boundsOf(options: QueryOptions): { timeLimitMs: number; inferenceLimit: number; maxSolutions: number } {
  const atMost = (asked: number | undefined, usual: number, most: number): number =>
    Math.max(1, Math.min(Math.ceil(asked ?? usual), most));
  return {
    timeLimitMs: atMost(options.timeLimitMs, ENGINE_LIMITS.defaultTimeLimitMs, ENGINE_LIMITS.maxTimeLimitMs),
    inferenceLimit: atMost(options.inferenceLimit, ENGINE_LIMITS.defaultInferenceLimit, Number.MAX_SAFE_INTEGER),
    maxSolutions: atMost(options.maxSolutions, ENGINE_LIMITS.defaultMaxSolutions, ENGINE_LIMITS.maxSolutions),
  };
}

function errorOf({ name, detail, position }: Failure, text: string): QueryError {
  const message = detail === '' ? (MESSAGES[name] ?? name) : detail;
  return position < 0 ? new QueryError(name, message) : new QueryError(name, message, placeOf(text, position));
}

const MESSAGES: { readonly [name: string]: string } = {
  QueryTimeLimit: 'the time limit was reached',
  QueryInferenceLimit: 'the inference limit was reached',
  QueryAnswerTooLarge: 'the answer is cyclic, too large or too deep',
};

function restarted(reason: string): QueryError {
  return new QueryError('EngineRestarted', `the engine was replaced: ${reason}`);
}

function fail(entry: Entry, error: QueryError): void {
  entry.sink.end({ more: false, error });
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
