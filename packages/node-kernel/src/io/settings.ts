import { isOneOf, isWhole } from '@mk/monitor-proto/guards';
import { isHostName, LONGEST_HOST_NAME } from '@mk/monitor-proto/io/host-name';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { asError } from '@mk/monitor-proto/thrown';
import type { CoreId } from '@mk/monitor-proto/ids';
import { type Isolation, ISOLATIONS } from './dispatchers/isolation.ts';

/** The settings of a core's process: JSON in the environment variable MK_CORE. */
export interface CoreSettings {
  readonly cluster: string;
  /** Hex. */
  readonly secret: string;
  /** `host:port` or `ws+unix:/path`; null: the parent will tell it over IPC. */
  readonly skb: string | null;
  /** The id to ask for; null: any. */
  readonly core: CoreId | null;
  readonly listenHost: string;
  readonly listenPort: number;
  /** The address by which others reach this host; absent: `listenHost`. */
  readonly advertiseHost?: string;
  /** The host's name; absent: the kernel's boot id. */
  readonly host?: string;
  /** Folder for a Unix socket for links; absent: others connect to the port. */
  readonly socketDir?: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'off';
  readonly logFile?: string;
  /** Keeps the last log lines for `log_lines`, where nothing else keeps them within mkctl's reach. */
  readonly keepLines?: boolean;
  /** How long it tries to become a member; absent: the limit `joinDeadlineNs`. */
  readonly joinMs?: number;
  /** Keeps running when the parent is gone. */
  readonly detached: boolean;
  /** How dispatchers are isolated: threads of the core's process (absent), or a process each. */
  readonly isolation?: Isolation;
  /** A protocol version other than this build's; only tests of the refusal set it. */
  readonly version?: number;
  /** Absent: links and control over plain TCP. */
  readonly tls?: TlsSettings;
  /** The token for /metrics and /healthz; absent: they need none. */
  readonly metricsToken?: string;
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'off'];

/**
 * Parses settings; returns one line when something is wrong. Checked by hand, because a booting core loads nothing that
 * it can do without.
 */
export function parseCoreSettings(text: string | undefined): CoreSettings | string {
  if (text === undefined) return 'MK_CORE is not set; cores are started by mk-launch or docker compose';
  let value: Partial<Record<keyof CoreSettings, unknown>>;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `MK_CORE is not JSON: ${asError(error).message}`;
  }
  const known = [
    'cluster',
    'secret',
    'skb',
    'core',
    'listenHost',
    'listenPort',
    'advertiseHost',
    'host',
    'socketDir',
    'logLevel',
    'logFile',
    'keepLines',
    'joinMs',
    'detached',
    'isolation',
    'version',
    'tls',
    'metricsToken',
  ];
  for (const key of Object.keys(value))
    if (!known.includes(key)) return `MK_CORE has an unknown key ${key}; known: ${known.join(', ')}`;
  if (typeof value.cluster !== 'string' || value.cluster === '') return 'MK_CORE.cluster must be a name';
  if (typeof value.secret !== 'string' || !/^[0-9a-f]{16,}$/i.test(value.secret))
    return 'MK_CORE.secret must be at least 16 hex digits';
  if (value.skb !== null && typeof value.skb !== 'string')
    return 'MK_CORE.skb must be host:port, or null when the parent tells it';
  if (value.core !== null && !isWhole(value.core, 0, 65_000)) return 'MK_CORE.core must be a core id, or null for any';
  if (typeof value.listenHost !== 'string') return 'MK_CORE.listenHost must be an address';
  if (!isWhole(value.listenPort, 0, 65_535)) return 'MK_CORE.listenPort must be a port, or 0 for any';
  if (value.host !== undefined && !isHostName(value.host))
    return `MK_CORE.host must be 1 to ${LONGEST_HOST_NAME} printable characters without blanks`;
  if (value.socketDir !== undefined && !isAbsolutePath(value.socketDir))
    return 'MK_CORE.socketDir must be an absolute path';
  if (value.joinMs !== undefined && !isWhole(value.joinMs, 1)) return 'MK_CORE.joinMs must be milliseconds, 1 or more';
  if (!isOneOf(LEVELS, value.logLevel)) return `MK_CORE.logLevel must be one of ${LEVELS.join(', ')}`;
  if (value.isolation !== undefined && !isOneOf(ISOLATIONS, value.isolation))
    return `MK_CORE.isolation must be one of ${ISOLATIONS.join(', ')}`;
  return { ...(value as CoreSettings), detached: value.detached === true };
}

function isAbsolutePath(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith('/');
}
