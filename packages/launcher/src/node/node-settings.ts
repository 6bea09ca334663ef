/*
 * A process of a cluster without a launcher (a container, a systemd unit) is configured by plain environment variables.
 * Each has one row here; an empty one counts as absent.
 */
import { isIPv6 } from 'node:net';
import { isOneOf } from '@mk/monitor-proto/guards';
import { checkMessageTimes, type MachineDescription } from '@mk/machine/description';
import { checkOccupancy } from '@mk/machine/occupancy';
import { parseDuration } from '@mk/machine/duration';
import { editDistance, nearest } from '@mk/machine/nearest';
import { type Address, bareHost, formatAddress, parseAddress, parseLinkAddress } from '@mk/monitor-proto/address';
import { faultOfSocketPath, LONGEST_SOCKET_NAME } from '@mk/monitor-proto/io/unix-socket';
import { isHostName, LONGEST_HOST_NAME } from '@mk/monitor-proto/io/host-name';
import { limit } from '@mk/monitor-proto/limits';
import { LOG_THRESHOLDS } from '@mk/monitor-proto/log-events';
import { isPatience, patienceRange } from '@mk/monitor-proto/patience';
import type { CoreSettings } from '@mk/node-kernel/io/settings';
import type { SkbSettings } from '@mk/skb/io/settings';
import { LINK_TRANSPORTS } from '../boot/cluster-config.ts';
import type { PagePlace } from '../boot/page-place.ts';
import { asksForTls, placeInEnvironment } from '@mk/libmk/io/credential-files';
import { readCredentials } from '../tls/read-credentials.ts';
import { CLUSTER_NAMES, isClusterName } from '../cli/cluster-name.ts';
import { metricsTokenOf } from '../cli/metrics-token.ts';
import { CLIENT_VARIABLES, TLS_VARIABLES } from '../cli/variables.ts';

/** The variables that a process reads: their meanings and defaults. */
export const NODE_VARIABLES = {
  MK_CLUSTER: { otherwise: 'mk', doc: 'Name of the cluster: processes of another name are refused.' },
  MK_SECRET: { otherwise: '', doc: 'The cluster’s secret, at least 16 hex digits. Absent: read from MK_SECRET_FILE.' },
  MK_SECRET_FILE: {
    otherwise: '',
    doc: 'File with the secret. The SKB makes one when there is none; a core waits for it.',
  },
  MK_SKB_ADDRESS: {
    otherwise: '',
    doc: 'host:port of the SKB, or ws+unix:/FOLDER/skb.sock; a core requires it, the SKB does not.',
  },
  MK_CORE_ID: { otherwise: '', doc: 'The id that a core asks for; absent: any.' },
  MK_CORES: { otherwise: '4', doc: 'Number of cores with which the boot is complete (SKB).' },
  MK_MAX_CORES: { otherwise: '256', doc: 'How many cores the cluster has room for (SKB).' },
  MK_MACHINE: {
    otherwise: '',
    doc: 'The machine that the links stand for: a shipped one, or a file (SKB). Absent: no added delay.',
  },
  MK_OCCUPANCY: {
    otherwise: '0',
    doc: '1: each message occupies its sender and receiver for the machine’s send and receive time (SKB).',
  },
  MK_TIME_SCALE: { otherwise: '', doc: 'Factor from modelled to wall-clock time; absent: the machine’s own (SKB).' },
  MK_LATENCY: { otherwise: '0', doc: 'Added one-way latency of every link between cores, as 2ms or 500us (SKB).' },
  MK_JITTER: { otherwise: '0', doc: 'Jitter of that latency (SKB).' },
  MK_SEED: { otherwise: 'mk', doc: 'Seed of the links’ random choices (SKB).' },
  MK_DATA_DIR: { otherwise: '', doc: 'Folder of the SKB’s journal; absent: records do not outlive its process (SKB).' },
  MK_SESSION_TIMEOUT: {
    otherwise: '8s',
    doc: 'How long a client of the SKB may be silent before it loses its locks, 1s to 1d (SKB).',
  },
  MK_LEASE: {
    otherwise: '',
    doc: 'How long a core may fail to reach a majority before it is fenced, 100ms to 1d; absent: 15s, longer with more than 64 cores (SKB).',
  },
  MK_SKB_SILENCE: {
    otherwise: '20s',
    doc: 'A core that hears nothing of the SKB for so long closes its link and reconnects, 4s to 1d (SKB).',
  },
  MK_LOG_LEVEL: { otherwise: 'info', doc: 'debug, info, warn, error or off.' },
  MK_LISTEN_HOST: {
    otherwise: '',
    doc: 'The address to listen on; absent: every IPv4 address, or every address where the host has no IPv4 one.',
  },
  MK_PORT: { otherwise: '7000', doc: 'The port for links, /healthz, /metrics and control.' },
  MK_TRANSPORT: {
    otherwise: 'tcp',
    doc: 'tcp, or unix: other processes of this host open their links to this one at a socket in MK_SOCKET_DIR.',
  },
  MK_SOCKET_DIR: {
    otherwise: '',
    doc: 'Folder for those sockets, which all processes see; absent, as in containers, which share none: tcp.',
  },
  MK_UI_PORT: { otherwise: '', doc: 'The port on which the SKB serves the page; absent: no page (SKB).' },
  MK_UI_NAME: { otherwise: '', doc: 'Host names under which the page may be opened, beside addresses (a,b) (SKB).' },
  MK_ADVERTISE_HOST: {
    otherwise: '',
    doc: 'The host under which others reach this process; absent: its container’s name where Docker provides it, else its first address that is not loopback.',
  },
  MK_HOST: {
    otherwise: '',
    doc: 'Name of this core’s host, the same for all cores on it; absent: its kernel’s boot id (core).',
  },
  ...TLS_VARIABLES,
  MK_METRICS_TOKEN: {
    otherwise: '',
    doc: 'Bearer token that /metrics and /healthz require; absent: none. The control token works, too.',
  },
} as const;

export type NodeVariable = keyof typeof NODE_VARIABLES;
export type NodeRole = 'skb' | 'core';
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that the process derives itself. */
export interface NodeFacts {
  /** Hex. */
  readonly secret: string;
  /** An address of this host that the others reach. */
  readonly address: string;
  /** A further name by which the others reach it; null: none. */
  readonly name?: string | null;
  /** Loads MK_MACHINE with room for so many cores; a string says why that failed. */
  machine(name: string, cores: number): MachineDescription | string;
}

/** The variables that mk-node itself sets for the kernel, and those of mk's other programs: not mistakes here. */
const OURS = ['MK_CORE', 'MK_SKB', 'MK_SUPERVISE', ...Object.keys(CLIENT_VARIABLES)];
/**
 * The variables that Kubernetes puts into every container for a Service named mk, mk-skb or the like:
 * MK_SKB_SERVICE_HOST, MK_SKB_PORT=tcp://…, MK_SKB_PORT_7000_TCP_ADDR.
 */
const SERVICE_LINK =
  /^MK_(?:\w+_)?(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//i;
const SECRET = /^[0-9a-f]{16,}$/i;

/** A variable's value, or its default when it is absent or empty. */
export function variable(environment: Environment, name: NodeVariable): string {
  const value = environment[name];
  // Kubernetes, too, sets MK_PORT and MK_UI_PORT: to the addresses of Services named mk and mk-ui.
  const absent = value === undefined || value === '' || (name.endsWith('_PORT') && SERVICE_ADDRESS.test(value));
  return absent ? NODE_VARIABLES[name].otherwise : value;
}

/**
 * An unknown variable with our prefix, and the known one that it probably misspells; null: not one of ours.
 */
interface UnknownVariable {
  readonly name: string;
  readonly meant: string | null;
}

/** Variables with our prefix that mean nothing here. */
export function unknownVariables(environment: Environment): readonly UnknownVariable[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('MK_') && !Object.hasOwn(NODE_VARIABLES, name) && !OURS.includes(name))
    .filter((name) => !SERVICE_LINK.test(name))
    .map((name) => ({ name, meant: slipOf(name) }));
}

/** A typo is one edit away from the intended word, or two in a longer one. */
function slipOf(name: string): string | null {
  const meant = nearest(name, Object.keys(NODE_VARIABLES));
  return meant !== null && editDistance(name, meant) <= (meant.length < 10 ? 1 : 2) ? meant : null;
}

/** Where a process with these variables listens; `address` is its host's own. */
function listenHost(environment: Environment, address: string): string {
  const given = bareHost(variable(environment, 'MK_LISTEN_HOST'));
  if (given !== '') return given;
  const reached = bareHost(variable(environment, 'MK_ADVERTISE_HOST')) || address;
  return reached.includes(':') ? '::' : '0.0.0.0';
}

/** The address at which this host's process answers: the loopback one for a process that listens everywhere. */
export function healthAddress(environment: Environment, address: string): Address {
  const host = listenHost(environment, address);
  const loopback = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return { host: loopback, port: Number(variable(environment, 'MK_PORT')) };
}

/** Where the SKB serves the page; null: nowhere. A text says which variable is wrong. */
export function pagePlace(environment: Environment, address: string): PagePlace | string | null {
  if (variable(environment, 'MK_UI_PORT') === '') return null;
  const read = new Reader(environment);
  const port = read.whole('MK_UI_PORT', 0, 65_535);
  const names = read.text('MK_UI_NAME').toLowerCase().split(',').filter(Boolean);
  for (const name of names) read.mustBeHost('MK_UI_NAME', name);
  return read.wrong ?? { host: listenHost(environment, address), port, names };
}

/** The content of MK_SKB or MK_CORE, or one line that says which variable is wrong. */
export function nodeSettings(
  role: NodeRole,
  environment: Environment,
  facts: NodeFacts,
): SkbSettings | CoreSettings | string {
  const slip = unknownVariables(environment).find(({ meant }) => meant !== null);
  if (slip !== undefined) return `${slip.name} is unknown; did you mean ${slip.meant}? mk-node --help lists them all`;
  if (!SECRET.test(facts.secret))
    return 'MK_SECRET must be at least 16 hex digits; make one with: openssl rand -hex 32';
  const read = new Reader(environment);
  const common = {
    cluster: read.clusterName(),
    secret: facts.secret,
    listenHost: listenHost(environment, facts.address),
    listenPort: read.whole('MK_PORT', 0, 65_535),
    advertiseHost: bareHost(read.text('MK_ADVERTISE_HOST')) || facts.name || facts.address,
    ...socketsOf(read),
    logLevel: read.level(),
    detached: true,
    // The container engine keeps its output where we cannot read it: the page and mkctl logs ask the process itself.
    keepLines: true,
    ...guards(role, environment),
  };
  for (const name of ['MK_LISTEN_HOST', 'MK_ADVERTISE_HOST'] as const) {
    const host = bareHost(read.text(name));
    if (host !== '') read.mustBeHost(name, host);
  }
  const settings = role === 'skb' ? { ...common, ...skbPart(read, facts) } : { ...common, ...corePart(read) };
  return read.wrong ?? settings;
}

/** Without a shared folder sockets have no place: links run over TCP. */
function socketsOf(read: Reader): { readonly socketDir?: string } {
  const transport = read.text('MK_TRANSPORT');
  const socketDir = read.text('MK_SOCKET_DIR');
  if (!isOneOf(LINK_TRANSPORTS, transport))
    read.refuse(`MK_TRANSPORT must be one of ${LINK_TRANSPORTS.join(', ')}, not "${transport}"`);
  if (transport !== 'unix' || socketDir === '') return {};
  const fault = socketDir.startsWith('/')
    ? faultOfSocketPath(`${socketDir}/${LONGEST_SOCKET_NAME}`)
    : 'it is not absolute';
  if (fault !== null) read.refuse(`MK_SOCKET_DIR: ${fault}`);
  return { socketDir };
}

/** A process's TLS credentials, and the token that it requires of observers. Throws a UsageError. */
export function guards(role: NodeRole | 'any', environment: Environment): Pick<CoreSettings, 'tls' | 'metricsToken'> {
  const place = placeInEnvironment(environment);
  const id = variable(environment, 'MK_CORE_ID');
  const cores = [...(id === '' ? [] : [`core-${id}`]), 'core'];
  const names = { skb: ['skb'], core: cores, any: [...cores, 'skb', 'client'] }[role];
  const metricsToken = metricsTokenOf(variable(environment, 'MK_METRICS_TOKEN'));
  return {
    ...(asksForTls(place) ? { tls: readCredentials(place, names) } : {}),
    ...(metricsToken === '' ? {} : { metricsToken }),
  };
}

type SkbPart = Pick<
  SkbSettings,
  | 'expectedCores'
  | 'maxCores'
  | 'machine'
  | 'machineFollows'
  | 'seed'
  | 'links'
  | 'timeScale'
  | 'occupancy'
  | 'measure'
  | 'dataDir'
  | 'sessionTimeoutMs'
  | 'leaseMs'
  | 'skbSilenceMs'
>;

function skbPart(read: Reader, facts: NodeFacts): SkbPart {
  const maxCores = read.whole('MK_MAX_CORES', 1, limit('maxCores'));
  const expectedCores = read.whole('MK_CORES', 0, maxCores);
  const links = { delayNs: read.durationNs('MK_LATENCY'), jitterNs: read.durationNs('MK_JITTER') };
  const machine = machineOf(read, facts, maxCores);
  const timeScale = read.text('MK_TIME_SCALE') === '' ? (machine?.timeScale ?? 0) : read.number('MK_TIME_SCALE');
  const dataDir = read.text('MK_DATA_DIR');
  const kept = dataDir === '' ? {} : { dataDir };
  const sessionTimeoutMs = Math.ceil(read.durationNs('MK_SESSION_TIMEOUT') / 1e6);
  if (!isPatience('sessionTimeout', sessionTimeoutMs))
    read.refuse(`MK_SESSION_TIMEOUT must be ${patienceRange('sessionTimeout')}`);
  const lease = read.text('MK_LEASE') === '' ? null : Math.ceil(read.durationNs('MK_LEASE') / 1e6);
  if (lease !== null && !isPatience('lease', lease)) read.refuse(`MK_LEASE must be ${patienceRange('lease')}`);
  const skbSilenceMs = Math.ceil(read.durationNs('MK_SKB_SILENCE') / 1e6);
  if (!isPatience('skbSilence', skbSilenceMs)) read.refuse(`MK_SKB_SILENCE must be ${patienceRange('skbSilence')}`);
  const slow = machine === null ? null : checkMessageTimes(machine, timeScale);
  if (slow !== null) read.refuse(`MK_MACHINE: ${slow}`);
  const occupancy = read.whole('MK_OCCUPANCY', 0, 1) === 1;
  const crowded =
    occupancy && machine !== null && lease === null
      ? checkOccupancy(machine, Math.max(1, expectedCores), timeScale)
      : null;
  if (crowded !== null) read.refuse(`MK_OCCUPANCY: ${crowded} (MK_LEASE)`);
  const described = { machine, machineFollows: machine !== null };
  return {
    expectedCores,
    maxCores,
    ...described,
    seed: read.text('MK_SEED'),
    links,
    timeScale,
    occupancy,
    measure: true,
    sessionTimeoutMs,
    skbSilenceMs,
    ...(lease === null ? {} : { leaseMs: lease }),
    ...kept,
  };
}

function machineOf(read: Reader, facts: NodeFacts, maxCores: number): MachineDescription | null {
  const name = read.text('MK_MACHINE');
  if (name === '' || read.wrong !== null) return null;
  const machine = facts.machine(name, maxCores);
  if (typeof machine !== 'string') return machine;
  read.refuse(`MK_MACHINE: ${machine}`);
  return null;
}

function corePart(read: Reader): Pick<CoreSettings, 'skb' | 'core' | 'host'> {
  const skb = read.text('MK_SKB_ADDRESS');
  if (parseLinkAddress(skb) === null)
    read.refuse(
      `MK_SKB_ADDRESS ${skb === '' ? 'is not set' : `is "${skb}"`}; it must be the SKB’s host:port, IPv6 as [::1]:7000`,
    );
  const host = read.text('MK_HOST');
  if (host !== '' && !isHostName(host))
    read.refuse(`MK_HOST must be 1 to ${LONGEST_HOST_NAME} printable characters without blanks`);
  const core = read.text('MK_CORE_ID') === '' ? null : read.whole('MK_CORE_ID', 0, limit('maxCores') - 1);
  return { skb, core, ...(host === '' ? {} : { host }) };
}

/** Reads variables, and remembers the first fault. */
class Reader {
  wrong: string | null = null;

  constructor(private readonly environment: Environment) {}

  text(name: NodeVariable): string {
    return variable(this.environment, name);
  }

  whole(name: NodeVariable, min: number, max: number): number {
    const text = this.text(name);
    if (!/^\d+$/.test(text) || Number(text) < min || Number(text) > max)
      this.refuse(`${name} is "${text}"; it must be a whole number from ${min} to ${max}`);
    return Number(text);
  }

  number(name: NodeVariable): number {
    const text = this.text(name);
    if (!/^\d+(\.\d+)?(e\d{1,2})?$/i.test(text)) this.refuse(`${name} is "${text}"; it must be a number from 0`);
    return Number(text);
  }

  clusterName(): string {
    const name = this.text('MK_CLUSTER');
    if (!isClusterName(name)) this.refuse(`MK_CLUSTER is ${JSON.stringify(name)}; use ${CLUSTER_NAMES}`);
    return name;
  }

  /** Other processes put it into addresses and URLs. */
  mustBeHost(name: NodeVariable, host: string): void {
    const read = parseAddress(formatAddress({ host, port: 1 }));
    if (read?.host !== host || (host.includes(':') && !isIPv6(host)))
      this.refuse(`${name}: ${JSON.stringify(host)} is neither a name of a host nor an address`);
  }

  level(): CoreSettings['logLevel'] {
    const level = LOG_THRESHOLDS.find((l) => l === this.text('MK_LOG_LEVEL'));
    if (level === undefined) this.refuse(`MK_LOG_LEVEL must be one of ${LOG_THRESHOLDS.join(', ')}`);
    return level ?? 'info';
  }

  durationNs(name: NodeVariable): number {
    const parsed = parseDuration(this.text(name));
    if (parsed.ok) return parsed.value;
    this.refuse(`${name}: ${parsed.error}`);
    return 0;
  }

  refuse(text: string): void {
    this.wrong ??= text;
  }
}
