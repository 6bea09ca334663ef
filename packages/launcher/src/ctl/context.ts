import type { OptionRules } from '@mk/machine/option-rules';
import { forMachines } from '../cli/machine-output.ts';
import type { Cli } from '../cli/run-cli.ts';
import { processTerminal, type Terminal } from '../cli/terminal.ts';
import { ClusterClient } from '../client/cluster-client.ts';

export type Args = Readonly<Record<string, unknown>>;

/** The surroundings of a command of mkctl. */
export interface CtlContext {
  readonly args: Args;
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly cluster: ClusterClient;
}

/** A command of mkctl: its arguments and its action, which throws errors and may return an exit status other than 0. */
export interface CtlCommand {
  /** In yargs's form: `link <a> <b>`. */
  readonly command: string;
  readonly describe: string;
  readonly examples: readonly (readonly [command: string, what: string])[];
  options?(cli: Cli): unknown;
  /** Options that would be ignored beside others, or without them. */
  readonly rules?: OptionRules;
  run(context: CtlContext): Promise<number | void>;
  /** Runs without any cluster; null: these arguments need one. */
  alone?(context: Omit<CtlContext, 'cluster'>): Promise<number | void> | null;
  /** What the command can do when no such cluster runs; without it that is an error. */
  afterwards?(context: Omit<CtlContext, 'cluster'>): Promise<number | void> | null;
}

export function openContext(args: Args): CtlContext {
  const cluster = ClusterClient.open({
    cluster: optional(args, 'cluster'),
    skb: optional(args, 'skb'),
    secretFile: optional(args, 'secret-file'),
    tls: {
      folder: optional(args, 'tls'),
      ca: optional(args, 'tls-ca'),
      cert: optional(args, 'tls-cert'),
      key: optional(args, 'tls-key'),
    },
  });
  const terminal = processTerminal();
  cluster.tellWaits((text) => terminal.error(`mkctl: ${text}`));
  return { args, terminal, json: args['json'] === true, cluster };
}

/** A text argument that may be absent. */
export function optional(args: Args, name: string): string | undefined {
  const value = args[name];
  return value === undefined || value === null ? undefined : String(value);
}

/** A text argument that yargs guarantees. */
export function required(args: Args, name: string): string {
  return String(args[name]);
}

/** Prints a value for machines, one JSON document. */
export function printJson({ terminal }: CtlContext, value: unknown): void {
  terminal.out(JSON.stringify(forMachines(value), null, 2));
}
