import { shown } from '@mk/machine/one-line';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import { readFileSync } from 'node:fs';
import { SkbClient } from '@mk/libmk/io/skb-client';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { parseAddress } from '@mk/monitor-proto/address';
import { type CoreId, type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { concernsSender } from '@mk/monitor-proto/link/rule-scope';
import type { ActiveRule, HealTarget } from '@mk/monitor-proto/link/rule-state';
import { title } from '../boot/boot-machine.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { isRunning } from '@mk/libmk/io/process-identity';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { StateDirectory } from '../state/state-directory.ts';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { Answers, Healed, LinkFaultAnswers, SupervisorAnswers } from './answers.ts';
import { askProcess } from './ask.ts';
import { type Access, accessOf, type CallOptions, ControlError, fetchText } from '@mk/libmk/io/control-call';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import { type AbsentCore, absentBy } from './cores.ts';
import { askTargets, type FaultTarget, refuseUnknownCores } from './fault-targets.ts';
import { sumActiveRules } from './sum-rules.ts';
import { type ShownCertificates, shownCertificates } from '../tls/shown-certificates.ts';
import { asksForTls, type CredentialPlace, placeInEnvironment } from '@mk/libmk/io/credential-files';
import { readCredentials } from '../tls/read-credentials.ts';
import { WaitTeller } from './wait-teller.ts';

/** A process that does not answer about faults within this time is named in the report. */
const TELL_MS = 3000;

/** No such cluster runs here. */
export class NoClusterError extends CommandError {}

/** Which cluster is meant. */
export interface TargetOptions {
  readonly cluster?: string | undefined;
  readonly skb?: string | undefined;
  readonly secretFile?: string | undefined;
  /** With `skb`: this client's credentials. */
  readonly tls?: CredentialPlace | undefined;
}

/** A cluster as mkctl reaches it: through this host's state directory, or by the SKB's address and the secret. */
export class ClusterClient {
  private constructor(
    readonly name: string,
    /** The credentials that its processes require. */
    readonly access: Access,
    private readonly skbAddress: string,
    /** Null when the cluster was not started by mk-launch on this host. */
    readonly record: ClusterRecord | null,
    /** Hex. */
    private readonly secret: string,
    private readonly tls: TlsSettings | null,
  ) {}

  static open(options: TargetOptions, env: NodeJS.ProcessEnv = process.env): ClusterClient {
    const skb = options.skb ?? (options.cluster === undefined ? env['MK_SKB_ADDRESS'] : undefined);
    if (skb !== undefined && skb !== '')
      return direct(
        skb,
        options,
        env,
        (secret, tls) => new ClusterClient(skb, accessOf(secret, tls), skb, null, secret, tls),
      );
    refuseForRemote(options);
    const record = chooseRecord(options.cluster);
    return new ClusterClient(
      record.name,
      accessOf(record.secret, record.tls ?? null),
      record.processes.find(({ name }) => name === 'skb')?.address ?? '',
      record,
      record.secret,
      record.tls ?? null,
    );
  }

  /** Asks the SKB. */
  skb<V extends string>(verb: V, args: object = {}, options: CallOptions = {}): Promise<AnswerOf<Answers['skb'], V>> {
    if (this.skbAddress === '')
      throw new CommandError(`the SKB of cluster ${this.name} does not run; start it again with mkctl restart skb`);
    return this.ask('skb', 'the SKB', this.skbAddress, verb, args, options);
  }

  /** Opens a client's link to the SKB, for queries and records; the caller closes it. */
  async openSkb(): Promise<SkbClient> {
    const { cluster } = await this.skb('status');
    try {
      return await SkbClient.connect({
        cluster,
        secret: this.secret,
        address: this.skbAddress,
        ...(this.tls === null ? {} : { tls: this.tls }),
      });
    } catch (error) {
      throw new CommandError(asError(error).message, 2);
    }
  }

  /** Asks one core. */
  async core<V extends string>(
    core: CoreId,
    verb: V,
    args: object = {},
    options: CallOptions = {},
  ): Promise<AnswerOf<Answers['core'], V>> {
    return this.ask('core', `core ${core}`, await this.addressOf(core), verb, args, options);
  }

  /** Calls a verb of the supervisor; a CommandError when there is none. */
  async supervisor<V extends string>(
    verb: V,
    args: object = {},
    options: CallOptions = {},
  ): Promise<AnswerOf<SupervisorAnswers, V>> {
    const { record } = this;
    if (record === null)
      throw new CommandError(
        `the processes of ${this.name} were not started by mk-launch on this host; ${elsewhere(verb)}`,
      );
    if (!isRunning(record.supervisor))
      throw new CommandError(
        `the supervisor of cluster ${this.name} is gone; mk-launch takeover --name ${this.name} brings another, mkctl down ends what is left of it`,
      );
    if (record.supervisor.address === '')
      throw new CommandError(`cluster ${this.name} is still starting; try again in a moment`);
    return this.ask('supervisor', 'the supervisor', record.supervisor.address, verb, args, options);
  }

  /** From now on, says which peers a slow answer waits for. */
  tellWaits(say: (text: string) => void): void {
    this.waits = new WaitTeller(this.access, say);
  }
  private waits: WaitTeller | null = null;

  private ask<K extends keyof Answers, V extends string>(
    kind: K,
    who: string,
    address: string,
    verb: V,
    args: object,
    options: CallOptions,
  ): Promise<AnswerOf<Answers[K], V>> {
    const call = (): Promise<AnswerOf<Answers[K], V>> =>
      named(who, askProcess(kind, address, this.access, verb, args, options));
    return this.waits === null || options.patient === true
      ? call()
      : this.waits.during(who, address, whatOf(verb, args), call);
  }

  /** Runs work that is not a single request; if it is slow, says what it waits for. */
  waiting<T>(describe: () => string | Promise<string>, call: () => Promise<T>): Promise<T> {
    return this.waits === null ? call() : this.waits.until(describe, call);
  }

  /** A request to the SKB over a client's link. */
  duringSkb<T>(what: string, call: () => Promise<T>): Promise<T> {
    return this.waits === null ? call() : this.waits.during('the SKB', this.skbAddress, what, call);
  }

  /** A page of one process: `/metrics`. */
  page(process: string, address: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
    const call = (): ReturnType<typeof fetchText> => fetchText(address, this.access, path);
    return this.waits === null ? call() : this.waits.during(title(process), address, path, call);
  }

  /** The token that lets the page's reader act, in hex. */
  get controlToken(): string {
    return this.access.token;
  }

  get supervised(): boolean {
    return this.record !== null && isRunning(this.record.supervisor);
  }

  /** Whether the supervisor and all processes that it booted are gone. */
  get ended(): boolean {
    const { record } = this;
    return record !== null && ![record.supervisor, ...record.processes].some((process) => isRunning(process));
  }

  async cores(): Promise<readonly CoreRow[]> {
    return this.skb('cores');
  }

  /** Cores that were started here and have ended or hang; unknown for a cluster started elsewhere. */
  async absent(): Promise<readonly AbsentCore[]> {
    if (!this.supervised) return [];
    return (await this.supervisor('ps')).flatMap(({ name, state, how }) => {
      const core = Number(/^core-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
      return Number.isNaN(core) ? [] : absentBy(core, state, how);
    });
  }

  /** Every process with a port, for health and metrics. */
  async endpoints(): Promise<readonly { readonly process: string; readonly address: string }[]> {
    if (this.record !== null) return this.record.processes.map(({ name, address }) => ({ process: name, address }));
    const cores = (await this.cores()).map(({ core, address }) => ({ process: `core-${core}`, address }));
    return [{ process: 'skb', address: this.skbAddress }, ...cores];
  }

  /**
   * The certificates of the cluster's processes. The supervisor lists those that it gave out; the others, started by an
   * earlier supervisor or elsewhere, are asked to show theirs.
   */
  async certificates(): Promise<ShownCertificates> {
    const given = this.record === null ? [] : await this.supervisor('certs');
    const others = (await this.endpoints()).filter(
      ({ process, address }) => address !== '' && !given.some(({ name }) => name === process),
    );
    const { rows, silent } = await shownCertificates(others, this.access);
    return { rows: [...given, ...rows], silent };
  }

  /** Puts a fault in force; resolves with the processes that could not be told. */
  async addFault(rule: FaultRule): Promise<readonly FaultTarget[]> {
    if (this.supervised) return (await this.supervisor('fault_add', { rule })).missing;
    const members = await this.faulted();
    refuseUnknownCores(rule, (core) => members.some(({ peer }) => peer === core));
    const concerned = members.filter(({ peer }) => concernsSender(rule, peer));
    return (await askTargets(concerned, ({ address }) => this.askFault(address, 'fault_add', { rule }))).missing;
  }

  async heal(target: HealTarget): Promise<Healed> {
    if (this.supervised) return this.supervisor('fault_heal', { target });
    const { values, missing } = await askTargets(await this.faulted(), ({ address }) =>
      this.askFault(address, 'fault_heal', { target }),
    );
    const healed = new Set(values.flatMap((value) => value.healed));
    const cores = target === 'all' ? (await this.faulted()).filter(({ peer }) => peer !== SKB_PEER) : [];
    const behave = { behaviour: 'none' };
    const untold = await askTargets(cores, ({ address }) =>
      askProcess('core', address, this.access, 'rogue', behave, { timeoutMs: TELL_MS }),
    );
    return { healed: [...healed], woken: [], missing: [...new Set([...missing, ...untold.missing])] };
  }

  async faults(): Promise<readonly ActiveRule[]> {
    if (this.supervised) return this.supervisor('faults');
    const { values } = await askTargets(await this.faulted(), ({ address }) => this.askFault(address, 'faults', {}));
    return sumActiveRules(values);
  }

  /** The supervisor's log stream, or null when there is no supervisor. */
  get logStream(): { readonly address: string; readonly access: Access } | null {
    return this.supervised ? { address: known(this.record).supervisor.address, access: this.access } : null;
  }

  /** Everybody whose links faults can affect, if no supervisor knows. */
  private async faulted(): Promise<readonly { readonly peer: PeerId; readonly address: string }[]> {
    const cores = (await this.cores()).map(({ core, address }) => ({ peer: core, address }));
    return [...cores, { peer: SKB_PEER, address: this.skbAddress }];
  }

  private askFault<V extends keyof LinkFaultAnswers>(
    address: string,
    verb: V,
    args: object,
  ): Promise<AnswerOf<Answers['core'], V>> {
    return askProcess('core', address, this.access, verb, args, { timeoutMs: TELL_MS });
  }

  private async addressOf(core: CoreId): Promise<string> {
    const known = this.record?.processes.find(({ name }) => name === `core-${core}`)?.address ?? '';
    if (known !== '') return known;
    const row = (await this.cores()).find((candidate) => candidate.core === core);
    if (row === undefined)
      throw new CommandError(`there is no core ${core} in cluster ${this.name}; mkctl ps lists the cores`);
    return row.address;
  }
}

/** A request in a word or two: its verb and its subject. */
function whatOf(verb: string, args: object): string {
  const { core, target }: { readonly core?: unknown; readonly target?: unknown } = args;
  const about = typeof core === 'number' ? ` core ${core}` : typeof target === 'number' ? ` core ${target}` : '';
  return `${verb.replaceAll('_', ' ')}${about}`;
}

/** Rewords a call's error as one line that says whose it is. */
async function named<T>(who: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    if (error.error === 'REFUSED') throw new CommandError(error.message.slice('REFUSED: '.length));
    const unreachable = error.error === 'UNREACHABLE' || error.error === 'TIMEOUT';
    throw new CommandError(unreachable ? `${who}: ${error.message}; see mkctl ps` : error.message, unreachable ? 2 : 1);
  }
}

/** A cluster of this host is found with its secret and its certificates. */
function refuseForRemote({ secretFile, tls = {} }: TargetOptions): void {
  const credentials = {
    'secret-file': secretFile,
    tls: tls.folder,
    'tls-ca': tls.ca,
    'tls-cert': tls.cert,
    'tls-key': tls.key,
  };
  const given = Object.entries(credentials).find(([, value]) => value !== undefined);
  if (given !== undefined) throw new UsageError(`--${given[0]} goes with --skb host:port`);
}

function direct<T>(
  skb: string,
  { cluster, secretFile, tls }: TargetOptions,
  env: NodeJS.ProcessEnv,
  make: (secret: string, tls: TlsSettings | null) => T,
): T {
  if (cluster !== undefined)
    throw new UsageError('--skb and --cluster exclude each other: give the address or the name');
  if (parseAddress(skb) === null)
    throw new UsageError(`--skb: ${JSON.stringify(skb)} is not an address; write host:port, IPv6 as [::1]:7000`);
  const file = secretFile ?? env['MK_SECRET_FILE'];
  const secret = (file === undefined || file === '' ? (env['MK_SECRET'] ?? '') : readSecret(file)).trim();
  if (/^[0-9a-f]{16,}$/i.test(secret)) return make(secret, clientCredentials(tls ?? {}, env));
  throw new UsageError(
    secret === ''
      ? '--skb needs the cluster’s secret: set MK_SECRET or give --secret-file FILE'
      : 'the secret must be at least 16 hex digits',
  );
}

/** The TLS credentials by the options, else by the environment; null: no TLS. */
function clientCredentials(given: CredentialPlace, env: NodeJS.ProcessEnv): TlsSettings | null {
  const place = { ...placeInEnvironment(env), ...definedOf(given) };
  // A container holds its process's certificate, which may ask as well.
  return asksForTls(place) ? readCredentials(place, ['client', 'skb', 'core']) : null;
}

function definedOf(place: CredentialPlace): CredentialPlace {
  return Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined));
}

/** The replacement for a supervisor's verb where a container engine started the processes. */
function elsewhere(verb: string): string {
  const ways: Readonly<Record<string, string>> = {
    add_cores: 'in containers: docker compose up --detach --scale core=N',
    crash: 'in containers: docker kill, with a name of docker compose ps',
    restart: 'in containers: docker compose up --detach starts what has ended, docker restart the others',
    hang: 'in containers: docker pause and docker unpause',
  };
  return (
    (Object.hasOwn(ways, verb) ? ways[verb] : undefined) ??
    'use docker compose (kill, restart, pause, up --scale) there'
  );
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(
      `--secret-file ${file}: ${codeOf(error) === 'ENOENT' ? 'no such file' : asError(error).message}`,
    );
  }
}

function chooseRecord(name: string | undefined): ClusterRecord {
  const state = new StateDirectory();
  const running = state.running();
  const names = running.map((record) => record.name).join(', ');
  if (name !== undefined) {
    const record = running.find((candidate) => candidate.name === name);
    if (record !== undefined) return record;
    throw new NoClusterError(
      `no cluster named ${name === '' ? '""' : shown(name)} runs here${names === '' ? '' : `; these do: ${names}`}`,
      2,
    );
  }
  if (running.length === 1) return known(running[0]);
  if (running.length === 0)
    throw new NoClusterError(
      `no cluster runs here (looked in ${state.path}); boot one with mk-launch, or name one elsewhere with --skb host:port`,
      2,
    );
  throw new UsageError(`${running.length} clusters run here (${names}); say which with --cluster NAME`);
}
