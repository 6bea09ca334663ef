import { isWhole } from '@mk/monitor-proto/guards';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { isPatience, patienceRangeMs } from '@mk/monitor-proto/patience';
import { asError } from '@mk/monitor-proto/thrown';
import type { MachineDescription } from '@mk/machine/description';
import type { LinkSettings } from '@mk/monitor-proto/link/link-settings';

const PATIENCE = ['sessionTimeout', 'lease', 'skbSilence'] as const;

/** The configuration of the SKB's process: JSON in the environment variable MK_SKB. */
export interface SkbSettings {
  readonly cluster: string;
  /** Hex. */
  readonly secret: string;
  readonly listenHost: string;
  readonly listenPort: number;
  readonly advertiseHost?: string;
  /** Folder for a Unix socket at which cores reach this process; absent: they use its port. */
  readonly socketDir?: string;
  readonly expectedCores: number;
  readonly maxCores: number;
  /**
   * Sized for maxCores cores; null: flat. Not in MK_SKB: the size of an environment is bounded, so the machine follows.
   */
  readonly machine: MachineDescription | null;
  /** The parent sends a machine afterwards (`machineFromParent`). */
  readonly machineFollows: boolean;
  /** The seed of every random choice of the cluster's links. */
  readonly seed: string;
  /** Settings of every link between cores. */
  readonly links: Partial<LinkSettings>;
  /** Modelled nanoseconds of the machine × timeScale = added delay in wall time; 0: none. */
  readonly timeScale: number;
  /** Messages occupy sender and receiver for the machine's costs; absent: those delay links instead. */
  readonly occupancy?: boolean;
  readonly measure: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'off';
  readonly logFile?: string;
  /** Keeps its last log lines for `log_lines`. */
  readonly keepLines?: boolean;
  readonly detached: boolean;
  /** Where the journal lies; absent: nothing outlives the process. */
  readonly dataDir?: string;
  /** How long a client may be silent before its session ends; absent: the limit `sessionTimeoutNs`. */
  readonly sessionTimeoutMs?: number;
  /** How long a core may act without word from a majority; absent: 15 s, longer on machines of more than 64 cores. */
  readonly leaseMs?: number;
  /**
   * How many proven offences of a member suffice to accuse it; 0: nobody is expelled; absent: the limit
   * `quarantineOffences`.
   */
  readonly quarantine?: number;
  /** How long the SKB may say nothing before a core closes its link; absent: the limit `skbSilenceNs`. */
  readonly skbSilenceMs?: number;
  /** Absent: links and control over plain TCP. */
  readonly tls?: TlsSettings;
  /** The token for /metrics and /healthz; absent: none is needed. */
  readonly metricsToken?: string;
}

const KEYS = [
  'cluster',
  'secret',
  'listenHost',
  'listenPort',
  'advertiseHost',
  'socketDir',
  'expectedCores',
  'maxCores',
  'machineFollows',
  'seed',
  'links',
  'timeScale',
  'occupancy',
  'measure',
  'logLevel',
  'logFile',
  'keepLines',
  'detached',
  'dataDir',
  'sessionTimeoutMs',
  'leaseMs',
  'quarantine',
  'skbSilenceMs',
  'tls',
  'metricsToken',
];

const DEFAULTS = { links: {}, timeScale: 0, measure: true, logLevel: 'info', seed: 'mk' } as const;

/** Parses the settings; a string is the one line that says what is wrong. */
export function parseSkbSettings(text: string | undefined): SkbSettings | string {
  if (text === undefined) return 'MK_SKB is not set; the SKB is started by mk-launch or docker compose';
  let value: Partial<Record<keyof SkbSettings, unknown>>;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `MK_SKB is not JSON: ${asError(error).message}`;
  }
  for (const key of Object.keys(value))
    if (!KEYS.includes(key)) return `MK_SKB has an unknown key ${key}; known: ${KEYS.join(', ')}`;
  if (typeof value.cluster !== 'string' || value.cluster === '') return 'MK_SKB.cluster must be a name';
  if (typeof value.secret !== 'string' || !/^[0-9a-f]{16,}$/i.test(value.secret))
    return 'MK_SKB.secret must be at least 16 hex digits';
  if (typeof value.listenHost !== 'string') return 'MK_SKB.listenHost must be an address';
  if (!isWhole(value.listenPort, 0, 65_535)) return 'MK_SKB.listenPort must be a port, or 0 for any';
  if (value.socketDir !== undefined && !(typeof value.socketDir === 'string' && value.socketDir.startsWith('/')))
    return 'MK_SKB.socketDir must be an absolute path';
  if (value.occupancy !== undefined && typeof value.occupancy !== 'boolean')
    return 'MK_SKB.occupancy must be true or false';
  if (!isWhole(value.expectedCores, 0, 4096)) return 'MK_SKB.expectedCores must be a whole number to 4096';
  if (!isWhole(value.maxCores, 1, 4096)) return 'MK_SKB.maxCores must be a whole number from 1 to 4096';
  for (const setting of PATIENCE) {
    const ms = value[`${setting}Ms`];
    if (ms !== undefined && !(isWhole(ms) && isPatience(setting, ms)))
      return `MK_SKB.${setting}Ms must be ${patienceRangeMs(setting)}`;
  }
  if (value.quarantine !== undefined && !isWhole(value.quarantine, 0, 1_000_000))
    return 'MK_SKB.quarantine must be from 0 to 1000000';
  const flags = { detached: value.detached === true, machineFollows: value.machineFollows === true, machine: null };
  return { ...DEFAULTS, ...value, ...flags } as SkbSettings;
}
