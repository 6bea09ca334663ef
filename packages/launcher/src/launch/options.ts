import { known } from '@mk/monitor-proto/assert';
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkMessageTimes } from '@mk/machine/description';
import { checkOccupancy } from '@mk/machine/occupancy';
import { type FaultPlan, parseFaultPlan } from '@mk/machine/fault-plan';
import { readText } from '@mk/machine/io/load';
import { runsFolder } from '@mk/machine/report/io/kept-reports';
import { ISOLATIONS } from '@mk/node-kernel/io/dispatchers/isolation';
import { LOG_THRESHOLDS } from '@mk/monitor-proto/log-events';
import { type ClusterConfig, LINK_TRANSPORTS } from '../boot/cluster-config.ts';
import { type PagePlace, pagePlaceOf } from '../boot/page-place.ts';
import { makeWritable } from '../cli/make-directory.ts';
import { type Cli, declaring } from '../cli/run-cli.ts';
import { metricsTokenOf } from '../cli/metrics-token.ts';
import { UsageError } from '../cli/usage-error.ts';
import { limit } from '@mk/monitor-proto/limits';
import { duration, durationMs, oneOf, valueOf, wholeNumber } from '../cli/values.ts';
import { checkClusterName } from '../cli/cluster-name.ts';
import { resolveMachine, type ResolvedMachine } from '../boot/machine.ts';
import type { TlsPlan } from '../tls/certificate-desk.ts';
import { isPatience, type Patience, patienceRange } from '@mk/monitor-proto/patience';
import { asksForTls } from '@mk/libmk/io/credential-files';
import type { GivenPlan } from './plan-report.ts';
import { refuseUnsupported } from './plan-runner.ts';

/** Processes on one host: more would keep it busy starting them; the simulator takes thousands. */
const MAX_LOCAL_CORES = 512;

type Args = Readonly<Record<string, unknown>>;

/** The checked options of `mk-launch`. */
export interface LaunchRequest {
  readonly config: ClusterConfig;
  readonly machine: ResolvedMachine;
  readonly json: boolean;
  readonly detach: boolean;
  readonly plan: GivenPlan | null;
  /** Where the report of the plan is kept. */
  readonly runs: string;
  /** The existing folder for this report alone; null: a new one below `runs`. */
  readonly keepIn: string | null;
  /** How long to stay up; null: until Ctrl-C. */
  readonly forMs: number | null;
  /** Where the page is served; null: nowhere until mkctl ui asks for it. */
  readonly page: PagePlace | null;
}

/** Defaults for whatever neither the command line nor a plan sets. */
export interface ClusterDefaults {
  readonly cores: string;
  readonly machine: string;
}

const DEFAULTS: ClusterDefaults = { cores: '4', machine: 'flat' };

/** The options of `mk-launch`. All are read as text, so that the errors are ours to word. */
export const launchOptions = declaring((cli) =>
  clusterOptions(cli)
    .option('name', {
      type: 'string',
      requiresArg: true,
      default: 'mk',
      describe: 'the cluster’s name, for mkctl --cluster',
    })
    .option('detach', { type: 'boolean', default: false, describe: 'run in the background; mkctl down ends it' })
    .option('plan', {
      type: 'string',
      requiresArg: true,
      describe: 'a fault plan to run once boot is complete; exit 0 held, 1 broke, 2 unknown',
    })
    .option('runs', {
      type: 'string',
      requiresArg: true,
      defaultDescription: 'MK_RUNS_DIR, else runs',
      describe: 'with --plan: the folder for its report; latest is the newest',
    })
    .option('for', { type: 'string', requiresArg: true, describe: 'stay up for this long, then end cleanly (30s, 5m)' })
    .option('ui', { type: 'boolean', default: false, describe: 'serve the page: the cluster in a browser' })
    .option('ui-port', { type: 'string', requiresArg: true, describe: 'the page’s port; a free one by default' })
    .option('ui-host', { type: 'string', requiresArg: true, describe: 'the address it listens on (127.0.0.1)' })
    .option('ui-name', {
      type: 'string',
      requiresArg: true,
      describe: 'host names under which the page may be opened, beside addresses (a,b)',
    })
    .option('json', { type: 'boolean', default: false, describe: 'JSON lines for machines' }),
);

/** The options that describe a cluster, shared by `mk-launch` and its subcommands. */
export function clusterOptions(cli: Cli, defaults: ClusterDefaults = DEFAULTS): Cli {
  machineOptions(cli, defaults);
  runOptions(cli);
  return cli;
}

function machineOptions(cli: Cli, defaults: ClusterDefaults): void {
  cli
    .option('cores', {
      alias: 'n',
      type: 'string',
      requiresArg: true,
      defaultDescription: `${defaults.cores}, or all of --machine`,
      describe: `how many cores, 1 to ${MAX_LOCAL_CORES}`,
    })
    .option('machine', {
      type: 'string',
      requiresArg: true,
      defaultDescription: defaults.machine,
      describe: 'a shipped machine, a YAML description, or hwloc XML',
    })
    .option('time-scale', {
      type: 'string',
      requiresArg: true,
      describe: 'factor from modelled to wall-clock time; the machine’s own by default, 0 adds no delay',
    })
    .option('occupancy', {
      type: 'boolean',
      default: false,
      describe:
        'each message occupies its sender and receiver for the machine’s send and receive time; slow: where cores would take one another for dead it is refused',
    })
    .option('latency', {
      type: 'string',
      requiresArg: true,
      defaultDescription: '0',
      describe: 'one-way delay added to every link (2ms, 0.5ms, 300us)',
    })
    .option('jitter', {
      type: 'string',
      requiresArg: true,
      defaultDescription: '0',
      describe: 'spread of the delay on every link',
    })
    .option('seed', {
      type: 'string',
      requiresArg: true,
      describe: 'seed of every random choice; random by default',
    });
}

function tlsOptions(cli: Cli): Cli {
  return cli
    .option('tls', {
      type: 'string',
      requiresArg: true,
      describe:
        'mutual TLS on every link and control port: auto (an authority in memory), or a folder of mk-launch certs',
    })
    .option('tls-ca', { type: 'string', requiresArg: true, describe: 'a file with the authority’s certificate' })
    .option('tls-cert', {
      type: 'string',
      requiresArg: true,
      describe: 'a file with one certificate for all processes of this host (core-*, skb, launcher, client)',
    })
    .option('tls-key', { type: 'string', requiresArg: true, describe: 'a file with its key' })
    .option('tls-revoked', {
      type: 'string',
      requiresArg: true,
      describe: 'a file with serial numbers or fingerprints of revoked certificates, one a line',
    });
}

function runOptions(cli: Cli): Cli {
  return tlsOptions(cli)
    .option('log-dir', {
      type: 'string',
      requiresArg: true,
      describe: 'also write one log file per process into this folder',
    })
    .option('data-dir', {
      type: 'string',
      requiresArg: true,
      describe: 'keep the SKB’s records and rules in this folder, so that they outlive the cluster',
    })
    .option('session-timeout', {
      type: 'string',
      requiresArg: true,
      defaultDescription: `${limit('sessionTimeoutNs') / 1e9}s`,
      describe: 'how long a client of the SKB may be silent before it loses its locks (1s to 1d)',
    })
    .option('lease', {
      type: 'string',
      requiresArg: true,
      defaultDescription: '15s, longer with more than 64 cores',
      describe:
        'how long a core may fail to reach a majority before it is fenced and the view goes on without it (100ms to 1d)',
    })
    .option('skb-silence', {
      type: 'string',
      requiresArg: true,
      defaultDescription: `${limit('skbSilenceNs') / 1e9}s`,
      describe: 'a core that hears nothing of the SKB for so long closes its link and reconnects (4s to 1d)',
    })
    .option('isolation', {
      type: 'string',
      requiresArg: true,
      default: 'thread',
      choices: ISOLATIONS,
      describe: 'what isolates programs: a thread each in the core’s process, or a process each',
    })
    .option('transport', {
      type: 'string',
      requiresArg: true,
      defaultDescription: 'unix',
      choices: LINK_TRANSPORTS,
      describe: 'what carries links: unix (sockets in the state directory) or tcp',
    })
    .option('log-level', {
      type: 'string',
      requiresArg: true,
      default: 'info',
      choices: LOG_THRESHOLDS,
      describe: 'what is logged: this level and above',
    })
    .option('port', { type: 'string', requiresArg: true, default: '0', describe: 'the SKB’s port; 0 picks a free one' })
    .option('boot-timeout', {
      type: 'string',
      requiresArg: true,
      describe: 'how long booting may take (60s and 1s a core)',
    });
}

/** Checks yargs's results; a UsageError says what to change. */
export function parseLaunchRequest(args: Args): LaunchRequest {
  const detach = args['detach'] === true;
  const given = planOf(text(args, 'plan'));
  const plan = given?.plan ?? null;
  if (detach && plan !== null)
    throw new UsageError('--plan needs the foreground, where its result can be told; leave --detach out');
  const forText = text(args, 'for');
  if (detach && forText !== null)
    throw new UsageError('--for and --detach exclude each other; end a detached cluster with mkctl down');
  const name = checkClusterName(text(args, 'name') ?? 'mk');
  const { config, machine } = parseClusterConfig(withPlan(args, plan), name, detach);
  if (plan !== null) refuseUnsupported(plan, config.cores);
  return {
    config,
    machine,
    plan: given,
    runs: runsOf(args, given),
    keepIn: null,
    json: args['json'] === true,
    detach,
    forMs: forText === null ? null : durationMs('--for', forText),
    page: ['ui', 'ui-host', 'ui-port', 'ui-name'].some((name) => (args[name] ?? false) !== false)
      ? pagePlaceOf(args, 'ui-')
      : null,
  };
}

/** The cluster that the options describe. */
export function parseClusterConfig(
  args: Args,
  name: string,
  detached: boolean,
  defaults: ClusterDefaults = DEFAULTS,
): { readonly config: ClusterConfig; readonly machine: ResolvedMachine } {
  const named = text(args, 'machine');
  const asked = text(args, 'cores') ?? (named === null ? defaults.cores : null);
  const wanted = asked === null ? null : wholeNumber('--cores', asked, 1, MAX_LOCAL_CORES);
  const machine = resolveMachine(named ?? defaults.machine, wanted);
  const { cores } = machine;
  const dataDir = folderOf('--data-dir', text(args, 'data-dir'));
  const tls = tlsPlanOf(args);
  const metricsToken = metricsTokenOf(process.env['MK_METRICS_TOKEN'] ?? '');
  const bootTimeout = text(args, 'boot-timeout');
  const sessionTimeout = text(args, 'session-timeout');
  const transport = text(args, 'transport');
  const lease = text(args, 'lease');
  const skbSilence = text(args, 'skb-silence');
  const config: ClusterConfig = {
    name,
    cores,
    detached,
    machineName: machine.name,
    machine: machine.description,
    maxCores: machine.maxCores,
    timeScale: timeScaleOf(text(args, 'time-scale'), machine),
    ...(args['occupancy'] === true ? { occupancy: true } : {}),
    latencyNs: duration('--latency', text(args, 'latency') ?? '0'),
    jitterNs: duration('--jitter', text(args, 'jitter') ?? '0'),
    seed: text(args, 'seed') ?? String(randomBytes(4).readUInt32BE()),
    secret: randomBytes(32).toString('hex'),
    logLevel: oneOf('--log-level', known(text(args, 'log-level')), LOG_THRESHOLDS),
    logDir: folderOf('--log-dir', text(args, 'log-dir')),
    ...(dataDir === null ? {} : { dataDir }),
    ...(sessionTimeout === null
      ? {}
      : { sessionTimeoutMs: patienceMs('sessionTimeout', '--session-timeout', sessionTimeout) }),
    ...(lease === null ? {} : { leaseMs: patienceMs('lease', '--lease', lease) }),
    ...(skbSilence === null ? {} : { skbSilenceMs: patienceMs('skbSilence', '--skb-silence', skbSilence) }),
    listenHost: '127.0.0.1',
    port: wholeNumber('--port', known(text(args, 'port')), 0, 65_535),
    bootTimeoutMs: bootTimeout === null ? 60_000 + 1000 * cores : durationMs('--boot-timeout', bootTimeout),
    measure: true,
    ...(transport === null ? {} : { transport: oneOf('--transport', transport, LINK_TRANSPORTS) }),
    ...(tls === null ? {} : { tls }),
    ...(metricsToken === '' ? {} : { metricsToken }),
    isolation: oneOf('--isolation', text(args, 'isolation') ?? 'thread', ISOLATIONS),
  };
  // A user who sets a lease knows how long messages take.
  const crowded =
    config.occupancy === true && lease === null ? checkOccupancy(machine.description, cores, config.timeScale) : null;
  if (crowded !== null) throw new UsageError(`--occupancy: ${crowded} (--lease)`);
  return { config, machine };
}

/** How long to wait for somebody, in milliseconds. */
function patienceMs(setting: Patience, option: string, given: string): number {
  const ms = Math.ceil(durationMs(option, given));
  if (isPatience(setting, ms)) return ms;
  throw new UsageError(`${option} must be ${patienceRange(setting)}, not ${given}`);
}

/** The source of the certificates, by the options; null: no TLS. */
function tlsPlanOf(args: Args): TlsPlan | null {
  const file = (name: string): string | undefined => {
    const given = text(args, name);
    return given === null ? undefined : resolve(given);
  };
  const revoked = file('tls-revoked');
  if (revoked !== undefined) valueOf('--tls-revoked', readText(revoked));
  const parts = { ca: file('tls-ca'), cert: file('tls-cert'), key: file('tls-key') };
  const given = text(args, 'tls');
  if (given === 'auto') {
    const odd = Object.entries(parts).find(([, path]) => path !== undefined);
    if (odd !== undefined) throw new UsageError(`--tls auto makes its own certificates; leave --tls-${odd[0]} out`);
    return { kind: 'auto', ...(revoked === undefined ? {} : { revoked }) };
  }
  const place = { folder: given === null ? undefined : resolve(given), ...parts, revoked };
  if (asksForTls(place)) return { kind: 'files', ...place };
  if (revoked === undefined) return null;
  throw new UsageError('--tls-revoked goes with --tls');
}

function planOf(file: string | null): GivenPlan | null {
  if (file === null) return null;
  const content = valueOf('--plan', readText(file));
  return { file, text: content, plan: valueOf('--plan', parseFaultPlan(content, file)) };
}

/** Makes the folder before anything boots, to fail early. */
function runsOf(args: Args, plan: GivenPlan | null): string {
  const named = text(args, 'runs');
  if (named !== null && plan === null) throw new UsageError('--runs goes with --plan: it keeps the plan’s report');
  if (named !== null) makeWritable(named, '--runs');
  return runsFolder(named);
}

/** Fills in the plan's settings of the cluster where the command line has none. */
function withPlan(args: Args, plan: FaultPlan | null): Args {
  if (plan === null) return args;
  const { seed, machine, cores, latencyNs, jitterNs, leaseNs } = plan;
  const said = { seed, machine, cores, latency: ns(latencyNs), jitter: ns(jitterNs), lease: ns(leaseNs) };
  return {
    ...args,
    ...Object.fromEntries(Object.entries(said).filter(([name, value]) => value !== null && text(args, name) === null)),
  };
}

function ns(value: number | null): string | null {
  return value === null ? null : `${value}ns`;
}

function text(args: Args, name: string): string | null {
  const value = args[name];
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) throw new UsageError(`--${name} is given ${value.length} times; give it once`);
  if (String(value) === '') throw new UsageError(`--${name} needs a value`);
  return String(value);
}

function timeScaleOf(given: string | null, machine: ResolvedMachine): number {
  if (given === null) return machine.description.timeScale;
  const value = /^\d+(\.\d+)?(e\d{1,2})?$/i.test(given) ? Number(given) : Number.NaN;
  if (!(value >= 0 && value <= 1e9)) {
    throw new UsageError(`--time-scale must be a number from 0 to 1e9, not ${JSON.stringify(given)}`);
  }
  const slow = checkMessageTimes(machine.description, value);
  if (slow !== null) throw new UsageError(`--time-scale: ${slow}`);
  return value;
}

function folderOf(option: string, given: string | null): string | null {
  if (given === null) return null;
  const path = resolve(given);
  if (isFile(path)) throw new UsageError(`${option} ${given} is a file; name a folder`);
  return path;
}

/** A path that cannot be examined is reported when the folder is made. */
function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch {
    return false;
  }
}
