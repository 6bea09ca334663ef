import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { known } from '@mk/monitor-proto/assert';
import { ENDING } from '@mk/monitor-proto/io/ending-signals';
import { OptionError } from '../commands/options.ts';
import type { JobAnswer, Jobs } from '../commands/seed-totals.ts';
import type { Scenario } from '../engine/scenario.ts';

/** The parsed options of the command: plain data. */
type Args = Readonly<Record<string, unknown>>;

/** A message to a child: first the command's options, then one scenario at a time. */
interface ToJob {
  readonly args?: Args;
  readonly scenario?: Scenario;
}

/**
 * Children that run this very program as `sim --job`; each has one scenario at a time, so that none waits behind a long
 * one.
 */
export function processJobs(args: Args): Jobs {
  return {
    usual: availableParallelism(),
    run: (count, scenarios, onAnswer) =>
      new Promise((resolve, reject) => {
        new Pool(args, scenarios, onAnswer, resolve, reject).start(count);
      }),
  };
}

class Pool {
  private readonly children = new Set<ChildProcess>();
  private next = 0;
  private done = 0;
  /** Called when no child is left; null: there is work. */
  private atEnd: (() => void) | null = null;
  private readonly interrupt = (signal: NodeJS.Signals): void => {
    // As if there were no handler: our parent sees how we ended.
    this.stop(() => process.kill(process.pid, signal));
  };

  constructor(
    private readonly args: Args,
    private readonly scenarios: readonly Scenario[],
    private readonly onAnswer: (index: number, answer: JobAnswer, job: number) => void,
    private readonly resolve: () => void,
    private readonly reject: (error: Error) => void,
  ) {}

  start(count: number): void {
    for (const signal of ENDING) process.on(signal, this.interrupt);
    for (let job = 1; job <= count; job += 1) this.startJob(job);
  }

  private startJob(job: number): void {
    const child = fork(known(process.argv[1]), ['sim', '--job'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const ran: Scenario['seed'][] = [];
    let index = -1;
    const give = (): void => {
      index = this.next;
      const scenario = this.scenarios[index];
      if (scenario === undefined) return;
      this.next += 1;
      ran.push(scenario.seed);
      this.send(child, { scenario });
    };
    this.children.add(child);
    child.on('message', (answer: JobAnswer) => {
      if (this.atEnd !== null) return;
      this.onAnswer(index, answer, job);
      this.done += 1;
      if (this.done === this.scenarios.length) return this.stop(this.resolve);
      give();
    });
    child.on('error', (error) => this.lost(child, `job ${job}: ${error.message}`));
    child.on('exit', (status, signal) => {
      const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
      this.lost(child, `job ${job} (process ${child.pid}) ${how}; ${hadSeeds(ran)}`);
    });
    this.send(child, { args: this.args });
    give();
  }

  private send(child: ChildProcess, message: ToJob): void {
    // The exit event reports a child that is gone.
    child.send(message, () => undefined);
  }

  private lost(child: ChildProcess, why: string): void {
    this.children.delete(child);
    if (this.atEnd === null) this.stop(() => this.reject(new OptionError(why)));
    else if (this.children.size === 0) this.atEnd();
  }

  private stop(atEnd: () => void): void {
    this.atEnd = atEnd;
    for (const signal of ENDING) process.off(signal, this.interrupt);
    // A child in the middle of a run reads no messages.
    for (const child of this.children) child.kill('SIGKILL');
    if (this.children.size === 0) atEnd();
  }
}

/** The seeds of a job that died; it had not answered the last. */
function hadSeeds(seeds: readonly Scenario['seed'][]): string {
  const before = seeds.slice(0, -1);
  const shown = before.slice(-10).join(', ');
  const held = before.length === 0 ? '' : ` (before: ${before.length > 10 ? '…, ' : ''}${shown})`;
  return `it had seed ${seeds.at(-1) ?? 'none'}${held}`;
}

/** The child's side: answers scenarios until the parent is gone. Rejects if it cannot prepare, or if a run throws. */
export function serveJob(prepare: (args: Args) => Promise<(scenario: Scenario) => JobAnswer>): Promise<void> {
  if (process.send === undefined)
    return Promise.reject(new OptionError('--job is for the processes that --jobs starts'));
  // Ctrl-C reaches every process of the terminal; our parent ends us.
  process.on('SIGINT', () => undefined);
  return new Promise((resolve, reject) => {
    let judge: ReturnType<typeof prepare> | null = null;
    process.on('disconnect', resolve);
    process.on('message', ({ args, scenario }: ToJob) => {
      if (args !== undefined) judge = prepare(args);
      if (scenario !== undefined) judge?.then((run) => process.send?.(run(scenario))).catch(reject);
    });
  });
}
