import { handlerFor } from '@mk/monitor-proto/handlers';
import { readFile } from 'node:fs/promises';
import type { FaultAction, FaultPlan } from '@mk/machine/fault-plan';
import { parseFaultPlan } from '@mk/machine/fault-plan';
import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import { asError } from '@mk/monitor-proto/thrown';
import { msOf } from '../cli/ms-of.ts';
import { CommandError } from '../cli/usage-error.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { describeAction } from '@mk/machine/describe-fault';

/** How long a crash or a restart may take before mkctl gives up. */
const PROCESS_MS = 60_000;
/** A fault that took longer was announced as a wait, so its end is announced, too. */
const SLOW_MS = 500;

type Performers = {
  readonly [T in FaultAction['type']]: (
    action: Extract<FaultAction, { type: T }>,
    cluster: ClusterClient,
  ) => Promise<unknown>;
};

/** How each kind of fault is applied to a running cluster, from outside. */
const PERFORMERS: Performers = {
  rule: ({ rule }, cluster) => cluster.addFault(rule),
  heal: ({ target }, cluster) => cluster.heal(target),
  crash: ({ cores }, cluster) => each(cores, (target) => told(cluster, 'crash', { target })),
  restart: ({ cores }, cluster) => each(cores, (target) => told(cluster, 'restart', { target })),
  hang: ({ cores, forNs }, cluster) => each(cores, (target) => told(cluster, 'hang', { target, for_ms: msOf(forNs) })),
  slow: ({ cores, factor, forNs }, cluster) =>
    each(cores, (target) => told(cluster, 'slow', { target, factor, for_ms: msOf(forNs) })),
  rogue: ({ cores, behaviour, forNs }, cluster) =>
    each(cores, (target) => told(cluster, 'rogue', { target, behaviour, for_ms: msOf(forNs) })),
  skb_loss: async ({ forNs }, cluster) => {
    await told(cluster, 'crash', { target: 'skb' });
    if (forNs !== null) callAfter(forNs / 1e6, () => void told(cluster, 'restart', { target: 'skb' }).catch(ignore));
  },
};

/** Applies a plan's faults to a running cluster, at their times from now on. */
export class PlannedFaults {
  private readonly timers = new Map<LongTimer, number>();
  private readonly underWay: Promise<void>[] = [];
  private readonly rules: string[] = [];
  /** Faults that could not be applied, in words. */
  readonly failed: string[] = [];

  constructor(
    private readonly cluster: ClusterClient,
    private readonly plan: FaultPlan,
    private readonly say: (text: string) => void,
  ) {}

  /** Resolves when the faults of time 0 are in force. */
  async begin(): Promise<void> {
    for (const { atNs, action } of this.plan.faults) {
      if (atNs <= 0) await this.perform(0, action);
      else {
        const timer = callAfter(atNs / 1e6, () => {
          this.timers.delete(timer);
          this.underWay.push(this.perform(atNs, action));
        });
        this.timers.set(timer, atNs);
      }
    }
  }

  /** Cancels faults that are not due yet and ends the plan's rules; resolves with the number of cancelled faults. */
  async end(): Promise<number> {
    const left = this.timers.size;
    for (const timer of this.timers.keys()) timer.cancel();
    this.timers.clear();
    await Promise.all(this.underWay);
    for (const id of this.rules) await this.cluster.heal({ id }).catch(ignore);
    return left;
  }

  private async perform(atNs: number, action: FaultAction): Promise<void> {
    const what = describeAction(action);
    this.say(`plan at ${(atNs / 1e9).toFixed(1)} s: ${what}`);
    if (action.type === 'rule') this.rules.push(action.rule.id);
    const begun = performance.now();
    try {
      await handlerFor(PERFORMERS, action.type)(action, this.cluster);
      const tookMs = performance.now() - begun;
      if (tookMs > SLOW_MS) this.say(`plan: ${what} has happened, after ${(tookMs / 1000).toFixed(1)} s`);
    } catch (error) {
      this.failed.push(`${what}: ${asError(error).message}`);
    }
  }
}

/** Reads a plan for a running cluster; a CommandError names anything in it that a running cluster cannot provide. */
export async function planOf(file: string, cores: readonly number[]): Promise<FaultPlan> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new CommandError(`${file} cannot be read: ${error.message}`);
  });
  const parsed = parseFaultPlan(text, file);
  if (!parsed.ok) throw new CommandError(parsed.error);
  for (const { action } of parsed.value.faults) {
    const missing = 'cores' in action ? action.cores.find((core) => !cores.includes(core)) : undefined;
    if (missing !== undefined) throw new CommandError(`${file}: the plan names core ${missing}, which does not exist`);
  }
  return parsed.value;
}

function told(cluster: ClusterClient, verb: string, args: object): Promise<unknown> {
  return cluster.supervisor(verb, args, { timeoutMs: PROCESS_MS });
}

function each(cores: readonly number[], act: (core: number) => Promise<unknown>): Promise<unknown> {
  return Promise.all(cores.map(act));
}

function ignore(): void {
  // reported elsewhere, or the cluster has ended
}
