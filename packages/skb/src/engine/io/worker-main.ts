/**
 * The engine's thread: SWI-Prolog compiled to WebAssembly, one job after the other.
 *
 * Guarantees: every job gets exactly one `end`, unless the thread is ended or crashes, which its owner notices. It
 * blocks while a query runs, so the owner watches it through the shared status.
 */
import { randomUUID } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { known } from '@mk/monitor-proto/assert';
import { steadyDates } from '@mk/monitor-proto/io/dates';
import { decodeOutcome } from '../answer.ts';
import { ENGINE_LIMITS } from '../limits.ts';
import type { Failure, Job, Program, WorkerEvent, WorkerStart } from '../protocol.ts';
import { STATUS, cancelSlot } from '../protocol.ts';
import type { Solution } from '@mk/monitor-proto/knowledge/query';
import { must, startSwipl } from './swipl.ts';
import type { Swipl } from './swipl-types.ts';
import { TermQueries } from './term-query.ts';

type QueryJob = Extract<Job, { type: 'query' }>;

interface Engine {
  readonly swipl: Swipl;
  readonly queries: TermQueries;
}

const LEAVES_GARBAGE: ReadonlySet<string> = new Set([
  'QueryAnswerTooLarge',
  'QueryStackLimit',
  'QueryTimeLimit',
  'QueryInferenceLimit',
  'QueryRaised',
]);
const start = workerData as WorkerStart;
const status = new Int32Array(start.status);
const date = steadyDates();
let outbox: WorkerEvent[] = [];
let flushedMs = 0;

main().catch((error: unknown) => {
  post({ type: 'load_failed', detail: String(error) });
  flush();
});

async function main(): Promise<void> {
  keepClockFromStepping();
  const swipl = await startSwipl({ state: start.state, complain: () => undefined });
  const variableMark = `variable ${randomUUID()}`;
  must(swipl, `mk_sandbox:begin(${ENGINE_LIMITS.heartbeatInferences}, Mark)`, { Mark: variableMark });
  must(swipl, 'mk_sandbox:load_facts([], Added)', { Added: start.facts });
  if (start.rules.length > 0) restoreRules(swipl, start.rules);
  const engine = { swipl, queries: new TermQueries(swipl, variableMark) };
  parentPort?.on('message', (jobs: readonly Job[]) => performAll(engine, jobs));
  post({ type: 'ready' });
  flush();
}

function performAll(engine: Engine, jobs: readonly Job[]): void {
  for (const job of jobs) {
    Atomics.store(status, STATUS.runningJob, job.id);
    try {
      perform(engine, job);
    } catch (error) {
      post({ type: 'crashed', id: job.id, detail: String(error) });
      break;
    }
    if (performance.now() - flushedMs > ENGINE_LIMITS.batchMs) flush();
  }
  Atomics.store(status, STATUS.runningJob, 0);
  flush();
}

function perform(engine: Engine, job: Job): void {
  if (job.type === 'query') return runQuery(engine, job);
  if (job.type === 'restore_rules') return restore(engine.swipl, job);
  const failure = performUpdate(engine, job);
  post({ type: 'end', id: job.id, more: false, ...(failure === undefined ? {} : { failure }) });
}

function restore(swipl: Swipl, { id, programs }: Extract<Job, { type: 'restore_rules' }>): void {
  const batch = restoreRules(swipl, programs).map((bindings) => ({ bindings }));
  if (batch.length > 0) post({ type: 'solutions', id, batch });
  post({ type: 'end', id, more: false });
}

/** Puts rules back; returns those that are refused. */
function restoreRules(
  swipl: Swipl,
  programs: readonly Program[],
): readonly { readonly name: string; readonly why: string }[] {
  for (const { name, text } of programs) must(swipl, 'mk_sandbox:put_back(Name, Text)', { Name: name, Text: text });
  const { Refused } = must(swipl, 'mk_sandbox:check_put_back(Refused)', {});
  return known(Refused).map(([name, why]) => ({ name: String(name), why: String(why) }));
}

/**
 * A query's limit is a duration: setting the wall clock must neither cut nor prolong it. Prolog asks JavaScript for the
 * time; in this thread, where nothing else needs the date, it gets the date of the start plus the monotonic time since.
 */
function keepClockFromStepping(): void {
  Date.now = date;
}

function performUpdate(
  { swipl, queries }: Engine,
  job: Exclude<Job, QueryJob | { type: 'restore_rules' }>,
): Failure | undefined {
  if (job.type === 'facts') {
    must(swipl, 'mk_sandbox:load_facts(Removed, Added)', { Removed: job.removed, Added: job.added });
    return undefined;
  }
  if (job.type === 'remove_rules') {
    must(swipl, 'mk_sandbox:remove_clauses(Name, _)', { Name: job.name });
    return undefined;
  }
  const answer = queries.answer('add_clauses', job.name, job.text);
  if (answer === 'added') return undefined;
  const outcome = decodeOutcome(answer);
  return 'failure' in outcome ? outcome.failure : undefined;
}

function runQuery({ swipl, queries }: Engine, job: QueryJob): void {
  const deadline = (date() + job.timeLimitMs) / 1000;
  const query = queries.run(job.goal, job.inferenceLimit, deadline);
  let batch: Solution[] = [];
  let count = 0;
  let failure: Failure | undefined;
  let more = false;
  for (let step = query.next(); ; step = query.next()) {
    if (step.error === true) throw new Error(step.message ?? 'an exception that nothing caught');
    if (step.value === undefined) break;
    const outcome = decodeOutcome(step.value);
    if ('failure' in outcome) failure = outcome.failure;
    else batch.push(outcome.solution);
    count += 1;
    more = !step.done && count >= job.maxSolutions && failure === undefined;
    if (batch.length >= ENGINE_LIMITS.batchSolutions || performance.now() - flushedMs > ENGINE_LIMITS.batchMs) {
      if (batch.length > 0) post({ type: 'solutions', id: job.id, batch });
      batch = [];
      flush();
    }
    if (Atomics.load(status, cancelSlot(job.id)) === job.id) {
      failure = { name: 'QueryCancelled', detail: 'nobody waits for it', position: -1 };
    }
    if (step.done) break;
    if (failure !== undefined || more) {
      query.close();
      break;
    }
  }
  // After a large term was dropped, the next stack overflow would write outside the memory unless garbage is collected.
  if (failure !== undefined && LEAVES_GARBAGE.has(failure.name)) must(swipl, 'garbage_collect');
  if (batch.length > 0) post({ type: 'solutions', id: job.id, batch });
  post({ type: 'end', id: job.id, more, ...(failure === undefined ? {} : { failure }) });
}

function post(event: WorkerEvent): void {
  outbox.push(event);
}

function flush(): void {
  flushedMs = performance.now();
  if (outbox.length === 0) return;
  parentPort?.postMessage(outbox);
  outbox = [];
}
