import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CHAOS_KINDS, type ChaosOptions, chaosPlan, type ChaosWeights } from '@mk/machine/chaos-plan';
import { nearest } from '@mk/machine/nearest';
import { makeNewFolder, runsFolder } from '@mk/machine/report/io/kept-reports';
import { isOneOf } from '@mk/monitor-proto/guards';
import { makeWritable } from './make-directory.ts';
import type { Cli } from './run-cli.ts';
import { UsageError } from './usage-error.ts';
import { durationMs } from './values.ts';

type Args = Readonly<Record<string, unknown>>;

/** Seed, duration and kinds of faults, as options of `mkctl chaos` and `mk-launch chaos`. */
export function chaosOptions(cli: Cli): void {
  cli
    .option('for', {
      type: 'string',
      requiresArg: true,
      default: '60s',
      describe: 'how long to inject faults; then everything is healed and checked',
    })
    .option('weights', {
      type: 'string',
      requiresArg: true,
      describe: `how often each kind of fault is chosen, like crash=5,slow=0 (${CHAOS_KINDS.join(', ')})`,
    })
    .option('out', {
      type: 'string',
      requiresArg: true,
      describe: 'the folder of the results; runs/chaos-SEED by default',
    })
    .option('print', { type: 'boolean', default: false, describe: 'print the plan and exit' });
}

/** The chaos that the options describe, for so many cores. */
export function chaosOf(args: Args, seed: string, cores: number): ChaosOptions {
  const weights = args['weights'] === undefined ? {} : { weights: weightsOf(String(args['weights'])) };
  return { seed, cores, forNs: Math.round(durationMs('--for', String(args['for'] ?? '60s')) * 1e6), ...weights };
}

/** The folder of a run's results, and the plan that it already holds. */
export interface ChaosPlace {
  readonly folder: string;
  readonly plan: string;
  readonly text: string;
}

/** Makes a folder, unless one was named, and writes the plan into it. */
export function placeChaos(args: Args, chaos: ChaosOptions): ChaosPlace {
  const text = chaosPlan(chaos);
  const named = args['out'] === undefined ? null : resolve(String(args['out']));
  const runs = resolve(runsFolder(null));
  makeWritable(named ?? runs, '--out');
  const folder = named ?? makeNewFolder(join(runs, `chaos-${String(chaos.seed).replaceAll(/[^\w.-]/g, '_')}`));
  const plan = join(folder, 'plan.yaml');
  writeFileSync(plan, text);
  return { folder, plan, text };
}

function weightsOf(text: string): ChaosWeights {
  const weights: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [kind = '', amount = ''] = part.split('=');
    const guess = nearest(kind, CHAOS_KINDS);
    if (!isOneOf(CHAOS_KINDS, kind))
      throw new UsageError(
        `--weights: unknown fault ${JSON.stringify(kind)}${guess === null ? '' : ` (did you mean ${guess}?)`}; known: ${CHAOS_KINDS.join(', ')}`,
      );
    if (!/^\d{1,6}(\.\d+)?$/.test(amount))
      throw new UsageError(`--weights: ${kind} needs a weight of 0 or more, like ${kind}=3`);
    weights[kind] = Number(amount);
  }
  return weights;
}
