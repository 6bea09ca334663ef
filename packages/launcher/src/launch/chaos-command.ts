import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { chaosPlan, chaosWords } from '@mk/machine/chaos-plan';
import { shellLine } from '@mk/machine/shell-line';
import { asError } from '@mk/monitor-proto/thrown';
import type { CommandModule } from 'yargs';
import type { ClusterConfig } from '../boot/cluster-config.ts';
import { launchWords } from '../boot/launch-words.ts';
import { declaring } from '../cli/run-cli.ts';
import { processTerminal } from '../cli/terminal.ts';
import { parseLine } from '../display/log-printer.ts';
import { drawChaos } from '../explain/chaos-picture.ts';
import { chaosOf, chaosOptions, placeChaos } from '../cli/chaos-options.ts';
import { runForeground } from './foreground.ts';
import { clusterOptions, parseLaunchRequest } from './options.ts';

const DEFAULTS = { cores: '8', machine: 'flat' };
/** Short, so that a core that hangs or is cut off sometimes loses its place. */
const LEASE = '3s';

/**
 * `mk-launch chaos`: boots, makes up faults from a seed, heals, judges, shuts down. Status 0: held, 1: broke, 2:
 * unknown.
 */
export function chaosCommand(done: (status: number) => void): CommandModule {
  return {
    command: 'chaos',
    describe: 'boot, inject faults generated from a seed, heal, check, shut down; results in a folder',
    builder: declaring((cli) => {
      chaosOptions(cli);
      return clusterOptions(cli, DEFAULTS)
        .option('json', { type: 'boolean', default: false, describe: 'JSON lines for machines' })
        .example('$0 chaos --seed 42 --for 60s', 'a minute of it on eight cores')
        .example('$0 chaos --cores 16 --seed 7 --for 10m --weights crash=9', 'longer, with many crashes')
        .example('$0 chaos --seed 42 --print', 'the plan alone, for mk-launch --plan')
        .epilogue('Exit status: 0 every invariant held, 1 one broke, 2 the run itself failed.');
    }),
    handler: async (args) => done(await runChaos(args)),
  };
}

async function runChaos(given: Readonly<Record<string, unknown>>): Promise<number> {
  const terminal = processTerminal();
  const seed = given['seed'] === undefined ? String(randomBytes(4).readUInt32BE()) : String(given['seed']);
  const args = {
    ...given,
    seed,
    cores: given['cores'] ?? (given['machine'] === undefined ? DEFAULTS.cores : undefined),
  };
  const cluster = { lease: LEASE, ...withoutUndefined(args), name: `chaos-${process.pid}`, for: undefined };
  const { config } = parseLaunchRequest(cluster);
  const { cores } = config;
  const chaos = chaosOf(args, seed, cores);
  if (given['print'] === true) {
    terminal.out(chaosPlan(chaos).trimEnd());
    return 0;
  }
  const { folder, plan } = placeChaos(args, chaos);
  const logs = String(given['log-dir'] ?? join(folder, 'logs'));
  const status = await runForeground(
    { ...parseLaunchRequest({ ...cluster, plan, 'log-dir': logs }), keepIn: folder },
    terminal,
  );
  try {
    await drawChaos(folder, seed, linesIn(logs));
  } catch (error) {
    // The verdict stands, whatever happens to the files.
    terminal.error(`mk: space-time.svg could not be kept: ${asError(error).message}`);
  }
  const again = `repeat it with: mk-launch chaos ${chaosWords(chaos)} ${shellLine(clusterWords(config))}`;
  const told = given['json'] === true ? (text: string) => terminal.error(text) : (text: string) => terminal.out(text);
  told(`results in ${relative('.', folder) || '.'}; ${again}`);
  return status;
}

/** The options of a cluster that boots from the same seed as the chaos. */
function clusterWords(config: ClusterConfig): readonly string[] {
  const words = launchWords(config);
  const seed = words.indexOf('--seed');
  return words.filter((_word, i) => i !== seed && i !== seed + 1);
}

/** The lines that all processes logged. */
function linesIn(folder: string): readonly NonNullable<ReturnType<typeof parseLine>>[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const texts = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  return texts.flatMap((text) => parseLine(text) ?? []);
}

function withoutUndefined(args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
}
