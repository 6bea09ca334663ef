/**
 * `@mk/libmk`: a running cluster from an ordinary Node process.
 *
 * @example
 * import { connect } from '@mk/libmk';
 * const mk = await connect('mk');
 * const hello = await mk.spawn('hello', { core: 1 });
 * console.log((await hello.wait()).cause);
 * await mk.close();
 */
import { readFileSync } from 'node:fs';
import { isRecord, isText } from '@mk/monitor-proto/guards';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { asError } from '@mk/monitor-proto/thrown';
import { Cluster } from './cluster.ts';
import { type ClusterRecord, runningClusters } from './cluster-record.ts';
import {
  asksForTls,
  checkCredentials,
  CredentialsError,
  placeInEnvironment,
  readCredentials,
} from './credential-files.ts';
import { accessOf, callControl, ControlError, splitAddress } from './control-call.ts';
import { SkbClient, SkbClientError } from './skb-client.ts';
import { stateDirectoryPath } from './state-path.ts';

export { Cluster, ClusterNames, type ClusterStatus, Domain, type SpawnRequest } from './cluster.ts';
export { type CallOptions, ControlError } from './control-call.ts';
export type { TlsSettings } from '@mk/monitor-proto/io/tls';
export type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
export type { DispatcherRow, DomainRow } from './domains.ts';
export type { DomainStatus } from '../dispatcher/domain-status.ts';
export type { HeldLock } from '../octopus/lock.ts';
export type { Registration, ServiceAttributes } from '../octopus/names.ts';
export { type Octopus, OctopusError, type OctopusEvent, type OctopusRecord } from '../octopus/octopus.ts';
export { bundleFile, type ProgramText } from './program-text.ts';
export { SkbClientError } from './skb-client.ts';

/** Which cluster: one of this host by its name, or any by its SKB's address and its secret. */
export interface ConnectOptions {
  /** The name given to `mk-launch --name`; optional where one cluster runs. */
  readonly cluster?: string;
  /** Where running clusters of this host are recorded; by default where mkctl looks. */
  readonly stateDirectory?: string;
  /** The SKB's, host:port; instead of a name. */
  readonly address?: string;
  /** With `address`: the cluster’s secret, hex. */
  readonly secret?: string;
  /**
   * With `address`, for a cluster that speaks TLS: texts in PEM, or a folder with `ca.pem`, `client.pem` and
   * `client.key`. The record of a cluster of this host has its own.
   */
  readonly tls?: TlsSettings | string;
  /** How long to wait for the SKB, milliseconds. */
  readonly timeoutMs?: number;
  /** How long the SKB may say nothing before the link is closed and reopened, milliseconds; absent: 20,000. */
  readonly skbSilenceMs?: number;
}

/** Where to connect, and with which credentials. */
interface Target {
  readonly name: string;
  readonly address: string;
  readonly secret: string;
  readonly tls: TlsSettings | null;
}

/**
 * Attaches this process to a running cluster: `connect('mk')`, `connect({ address: '10.0.0.7:7000', secret })`. Without
 * arguments, to the cluster that mkctl would reach: that of MK_SKB_ADDRESS (with MK_SECRET or MK_SECRET_FILE, and the
 * variables of TLS), or the only one of this host. Rejects with a ControlError: NO_CLUSTER if there is none,
 * UNREACHABLE, BAD_REQUEST, or the cluster's reason for refusing this client (WRONG_SECRET, TLS_REQUIRED,
 * CERTIFICATE_EXPIRED …).
 */
export async function connect(to: string | ConnectOptions = {}): Promise<Cluster> {
  const options = typeof to === 'string' ? { cluster: to } : to;
  const { name, address, secret, tls } = targetOf(options, process.env);
  const access = accessOf(secret, tls);
  const status = await callControl(address, access, 'status', {}, timeLimit(options));
  const cluster = clusterOf(status) ?? name;
  try {
    const skb = await SkbClient.connect({
      cluster,
      secret,
      address,
      ...connectLimit(options),
      ...(options.skbSilenceMs === undefined ? {} : { skbSilenceMs: options.skbSilenceMs }),
      ...(tls === null ? {} : { tls }),
    });
    return new Cluster({ name: cluster, skbAddress: address, access }, skb);
  } catch (error) {
    throw error instanceof SkbClientError ? asControlError(error) : error;
  }
}

function asControlError({ error, message }: SkbClientError): ControlError {
  const text = message.slice(error.length + ': '.length);
  return new ControlError(error === 'SKB_UNREACHABLE' ? 'UNREACHABLE' : error, text);
}

function timeLimit({ timeoutMs }: ConnectOptions): { readonly timeoutMs?: number } {
  return timeoutMs === undefined ? {} : { timeoutMs };
}

function connectLimit({ timeoutMs }: ConnectOptions): { readonly connectTimeoutMs?: number } {
  return timeoutMs === undefined ? {} : { connectTimeoutMs: timeoutMs };
}

function clusterOf(status: unknown): string | null {
  return isRecord(status) && isText(status['cluster']) ? status['cluster'] : null;
}

function targetOf(options: ConnectOptions, env: NodeJS.ProcessEnv): Target {
  const { cluster, address } = options;
  if (address !== undefined) {
    if (cluster !== undefined)
      throw new ControlError('BAD_REQUEST', 'address and cluster exclude each other: give one of them');
    return direct(address, options.secret ?? '', credentialsOf(options, {}));
  }
  const skb = env['MK_SKB_ADDRESS'] ?? '';
  if (cluster === undefined && skb !== '')
    return direct(skb, options.secret ?? secretOf(env), credentialsOf(options, env));
  return recorded(options, cluster);
}

/** The secret from the environment, as for mkctl. */
function secretOf(env: NodeJS.ProcessEnv): string {
  const file = env['MK_SECRET_FILE'] ?? '';
  if (file === '') return env['MK_SECRET'] ?? '';
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ControlError('BAD_REQUEST', `MK_SECRET_FILE ${file}: ${asError(error).message}`);
  }
}

/** This client's TLS credentials: from the options, or else the environment; null: none. */
function credentialsOf({ tls }: ConnectOptions, env: NodeJS.ProcessEnv): TlsSettings | null {
  const place = typeof tls === 'string' ? { folder: tls } : placeInEnvironment(env);
  try {
    if (typeof tls !== 'object') return asksForTls(place) ? readCredentials(place, ['client']) : null;
    checkCredentials('the certificate (cert)', tls);
    return tls;
  } catch (error) {
    throw error instanceof CredentialsError ? new ControlError('BAD_REQUEST', error.message) : error;
  }
}

function direct(address: string, given: string, tls: TlsSettings | null): Target {
  const secret = given.trim();
  splitAddress(address); // throws for an invalid one
  if (/^(?:[0-9a-f]{2}){8,}$/i.test(secret)) return { name: address, address, secret, tls };
  throw new ControlError('BAD_REQUEST', 'an address needs the cluster’s secret: at least 16 hex digits');
}

function recorded({ stateDirectory }: ConnectOptions, name: string | undefined): Target {
  const directory = stateDirectory ?? stateDirectoryPath();
  const running = runningClusters(directory);
  const names = running.map((record) => record.name).join(', ');
  const known = running.filter((record) => name === undefined || record.name === name);
  const [found] = known;
  if (found === undefined)
    throw new ControlError(
      'NO_CLUSTER',
      name === undefined || names === ''
        ? `no cluster${name === undefined ? '' : ` named ${name}`} runs here (looked in ${directory}); boot one with mk-launch`
        : `no cluster named ${name} runs here; these do: ${names}`,
    );
  if (known.length > 1)
    throw new ControlError(
      'BAD_REQUEST',
      `${known.length} clusters run here (${names}): say which, connect('${found.name}')`,
    );
  return { name: found.name, address: addressOf(found), secret: found.secret, tls: found.tls ?? null };
}

function addressOf({ name, processes }: ClusterRecord): string {
  const address = processes.find((process) => process.name === 'skb')?.address ?? '';
  if (address !== '') return address;
  throw new ControlError(
    'UNREACHABLE',
    `the SKB of cluster ${name} does not run; start it again with mkctl restart skb`,
  );
}
