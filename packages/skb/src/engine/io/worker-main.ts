/**
 * The engine's thread: SWI-Prolog compiled to WebAssembly, one job after the other.
 *
 * Guarantees: every job gets exactly one `end`, unless the thread is ended or crashes, which its owner sees. It blocks
 * while a query runs, so the owner watches it from outside through the shared status.
 */
import { parentPort, workerData } from 'node:worker_threads';
import initSwipl from 'swipl-wasm/dist/swipl-node.js';
import { decodeOutcome } from '../answer.ts';
import { ENGINE_LIMITS } from '../limits.ts';
import type { Failure, Job, Program, WorkerEvent, WorkerStart } from '../protocol.ts';
import { STATUS, cancelSlot } from '../protocol.ts';
import type { Solution } from '@mk/monitor-proto/knowledge/query';

type Swipl = Awaited<ReturnType<typeof initSwipl>>;
type QueryJob = Extract<Job, { type: 'query' }>;

/** What swipl-wasm's iterator gives back: `value` holds the bindings, `error` is set on an exception nobody caught. */
interface Step {
  readonly done: boolean;
  readonly value?: { readonly Outcome?: unknown };
  readonly error?: boolean;
  readonly message?: string;
}

const RUN = 'mk_sandbox:run(Goal, InferenceLimit, Deadline, Outcome)';
const LEAVES_GARBAGE: ReadonlySet<string> = new Set([
  'QueryAnswerTooLarge',
  'QueryStackLimit',
  'QueryTimeLimit',
  'QueryInferenceLimit',
  'QueryRaised',
]);
const start = workerData as WorkerStart;
const status = new Int32Array(start.status);
let outbox: WorkerEvent[] = [];
let flushedMs = 0;
/** What Prolog has printed on its error stream while the programs were loaded. */
const complaints: string[] = [];

main().catch((error: unknown) => {
  post({ type: 'load_failed', detail: String(error) });
  flush();
});

async function main(): Promise<void> {
  const swipl = await initSwipl({
    arguments: ['-q', `--stack-limit=${ENGINE_LIMITS.stackMebibytes}m`],
    print: () => undefined,
    printErr: (line: string) => void (complaints.length < 100 && complaints.push(line)),
  });
  loadPrograms(swipl, start.programs);
  must(swipl, `set_prolog_flag(heartbeat, ${ENGINE_LIMITS.heartbeatInferences})`);
  must(swipl, 'mk_sandbox:load_facts([], Added)', { Added: start.facts });
  for (const rules of start.rules) must(swipl, 'mk_sandbox:add_clauses(Name, Text, added)', nameAndText(rules));
  parentPort?.on('message', (jobs: readonly Job[]) => performAll(swipl, jobs));
  post({ type: 'ready' });
  flush();
}

function loadPrograms(swipl: Swipl, programs: readonly Program[]): void {
  complaints.length = 0;
  for (const { name, text } of programs) swipl.FS.writeFile(`/${name}`, text);
  must(swipl, "use_module('/sandbox.pl')");
  must(swipl, 'mk_sandbox:prepare_module(skb)');
  for (const { name } of programs) {
    if (name !== 'sandbox.pl') must(swipl, 'mk_sandbox:load_program(Path)', { Path: `/${name}` });
  }
  // Prolog prints what is wrong with a file and goes on; half a sandbox is none.
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

function performAll(swipl: Swipl, jobs: readonly Job[]): void {
  for (const job of jobs) {
    Atomics.store(status, STATUS.runningJob, job.id);
    try {
      perform(swipl, job);
    } catch (error) {
      post({ type: 'crashed', id: job.id, detail: String(error) });
      break;
    }
    if (Date.now() - flushedMs > ENGINE_LIMITS.batchMs) flush();
  }
  Atomics.store(status, STATUS.runningJob, 0);
  flush();
}

function perform(swipl: Swipl, job: Job): void {
  if (job.type === 'query') return runQuery(swipl, job);
  const failure = performUpdate(swipl, job);
  post({ type: 'end', id: job.id, more: false, ...(failure === undefined ? {} : { failure }) });
}

function performUpdate(swipl: Swipl, job: Exclude<Job, QueryJob>): Failure | undefined {
  if (job.type === 'facts') {
    must(swipl, 'mk_sandbox:load_facts(Removed, Added)', { Removed: job.removed, Added: job.added });
    return undefined;
  }
  if (job.type === 'remove_rules') {
    must(swipl, 'mk_sandbox:remove_clauses(Name, _)', { Name: job.name });
    return undefined;
  }
  const { Outcome } = must(swipl, 'mk_sandbox:add_clauses(Name, Text, Outcome)', nameAndText(job));
  if (Outcome === 'added') return undefined;
  const outcome = decodeOutcome(Outcome);
  return 'failure' in outcome ? outcome.failure : undefined;
}

function runQuery(swipl: Swipl, job: QueryJob): void {
  const deadline = (Date.now() + job.timeLimitMs) / 1000;
  const input = { Goal: job.goal, InferenceLimit: job.inferenceLimit, Deadline: deadline };
  const query = swipl.prolog.query(RUN, input) as unknown as { next(): Step; close(): void };
  let batch: Solution[] = [];
  let count = 0;
  let failure: Failure | undefined;
  let more = false;
  for (let step = query.next(); ; step = query.next()) {
    if (step.error === true) throw new Error(step.message ?? 'an exception that nothing caught');
    if (step.value?.Outcome === undefined) break;
    const outcome = decodeOutcome(step.value.Outcome);
    if ('failure' in outcome) failure = outcome.failure;
    else batch.push(outcome.solution);
    count += 1;
    more = !step.done && count >= job.maxSolutions && failure === undefined;
    if (batch.length >= ENGINE_LIMITS.batchSolutions || Date.now() - flushedMs > ENGINE_LIMITS.batchMs) {
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
  // After a large term was given up, the next stack overflow would write outside the memory unless garbage is
  // collected.
  if (failure !== undefined && LEAVES_GARBAGE.has(failure.name)) must(swipl, 'garbage_collect');
  if (batch.length > 0) post({ type: 'solutions', id: job.id, batch });
  post({ type: 'end', id: job.id, more, ...(failure === undefined ? {} : { failure }) });
}

/** Runs one of our own goals, which cannot fail; if it does, the engine is of no use. */
function must(swipl: Swipl, goal: string, input: Record<string, unknown> = {}): { readonly Outcome?: unknown } {
  const result = swipl.prolog.query(goal, input).once() as {
    readonly success?: boolean;
    readonly message?: string;
    readonly Outcome?: unknown;
  };
  if (result.success !== true) throw new Error(`${goal}: ${result.message ?? 'failed'}`);
  return result;
}

function nameAndText(rules: { readonly name: string; readonly text: string }): Record<string, unknown> {
  return { Name: rules.name, Text: rules.text };
}

function post(event: WorkerEvent): void {
  outbox.push(event);
}

function flush(): void {
  flushedMs = Date.now();
  if (outbox.length === 0) return;
  parentPort?.postMessage(outbox);
  outbox = [];
}
