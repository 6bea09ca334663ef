import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Isolation } from '@mk/node-kernel/io/dispatchers/isolation';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import type { TlsPlan } from '../tls/certificate-desk.ts';
import type { LogLevel } from '@mk/monitor-proto/log-events';

/** What carries links between processes of one host. */
export type LinkTransport = 'tcp' | 'unix';
export const LINK_TRANSPORTS: readonly LinkTransport[] = ['tcp', 'unix'];

/** Everything a supervisor must know about its cluster. Plain JSON: a daemon gets it, too. */
export interface ClusterConfig {
  readonly name: string;
  readonly cores: number;
  /** As given: a shipped machine's name or a file. */
  readonly machineName: string;
  /** The machine description as plain JSON. */
  readonly machine: unknown;
  /** Wall nanoseconds per modelled one; 0: the machine adds no delay. */
  readonly timeScale: number;
  /** Messages occupy both ends for the machine's costs; absent: those delay links instead. */
  readonly occupancy?: boolean;
  readonly maxCores: number;
  readonly latencyNs: Nanos;
  readonly jitterNs: Nanos;
  readonly seed: string;
  /** Hex. */
  readonly secret: string;
  readonly logLevel: LogLevel | 'off';
  readonly logDir: string | null;
  readonly detached: boolean;
  readonly listenHost: string;
  /** The SKB's port; 0: any. */
  readonly port: number;
  readonly bootTimeoutMs: number;
  readonly measure: boolean;
  /** What carries links; absent: Unix sockets where their names fit (decision 0160), else TCP. */
  readonly transport?: LinkTransport;
  /** The session's folder of Unix sockets for links; absent: they run over TCP. */
  readonly socketDir?: string;
  /** What keeps dispatchers apart; absent: threads of their core’s process. */
  readonly isolation?: Isolation;
  /** Where the SKB keeps acknowledged updates; absent: with the cluster's record, until the cluster ends. */
  readonly dataDir?: string;
  /** How long a client of the SKB may be silent before its locks pass to others; absent: the default. */
  readonly sessionTimeoutMs?: number;
  /** How long a core may act without word from a majority; absent: by the number of cores. */
  readonly leaseMs?: number;
  /** How long the SKB may say nothing before a core closes its link and reconnects; absent: the default. */
  readonly skbSilenceMs?: number;
  /** Where the certificates come from; absent: no TLS. */
  readonly tls?: TlsPlan;
  /** The token for /metrics and /healthz; absent: none is needed. */
  readonly metricsToken?: string;
}

/** The TLS credentials of one process of the cluster. */
interface Credentials {
  readonly tls?: TlsSettings;
}

/** The content of MK_SKB. The machine follows as a message: 200 packages are more than an environment takes. */
export function skbEnvironment(config: ClusterConfig, listenPort: number, credentials: Credentials = {}): string {
  const { name, secret, listenHost, cores, maxCores, seed, latencyNs, jitterNs, timeScale, measure, detached } = config;
  return JSON.stringify({
    cluster: name,
    secret,
    listenHost,
    listenPort,
    expectedCores: cores,
    maxCores,
    machineFollows: true,
    seed,
    timeScale,
    measure,
    detached,
    links: { delayNs: latencyNs, jitterNs },
    ...(config.dataDir === undefined ? {} : { dataDir: config.dataDir }),
    ...(config.sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs: config.sessionTimeoutMs }),
    ...(config.occupancy === true ? { occupancy: true } : {}),
    ...sockets(config),
    ...(config.leaseMs === undefined ? {} : { leaseMs: config.leaseMs }),
    ...(config.skbSilenceMs === undefined ? {} : { skbSilenceMs: config.skbSilenceMs }),
    ...credentials,
    ...guarded(config),
    ...logging(config, 'skb'),
  });
}

/** The content of MK_CORE; `skb` is null while the SKB's address is unknown. */
export function coreEnvironment(
  config: ClusterConfig,
  core: CoreId,
  skb: string | null,
  credentials: Credentials = {},
): string {
  const { name, secret, listenHost, detached, bootTimeoutMs } = config;
  return JSON.stringify({
    cluster: name,
    secret,
    skb,
    core,
    listenHost,
    listenPort: 0,
    detached,
    // A boot of many cores on few CPUs takes long: no core may give up before its launcher does.
    joinMs: Math.ceil(Math.max(bootTimeoutMs, limit('joinDeadlineNs') / 1e6)),
    ...(config.isolation === undefined ? {} : { isolation: config.isolation }),
    ...sockets(config),
    ...credentials,
    ...guarded(config),
    ...logging(config, `core-${core}`),
  });
}

function guarded({ metricsToken }: ClusterConfig): { readonly metricsToken?: string } {
  return metricsToken === undefined ? {} : { metricsToken };
}

/** The log file of a process: `core-3.jsonl`. */
export function logFileOf(logDir: string, process: string): string {
  return `${logDir}/${process}.jsonl`;
}

function sockets({ socketDir }: ClusterConfig): { socketDir?: string } {
  return socketDir === undefined ? {} : { socketDir };
}

function logging({ logLevel, logDir }: ClusterConfig, process: string): { logLevel: string; logFile?: string } {
  return logDir === null ? { logLevel } : { logLevel, logFile: logFileOf(logDir, process) };
}
