import { z } from 'zod';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { QueryOptions, Solution } from '@mk/monitor-proto/knowledge/query';
import { type HeldLock, acquireLock } from '../octopus/lock.ts';
import {
  listServices,
  lookupService,
  type Registration,
  registerService,
  type ServiceAttributes,
  waitForService,
} from '../octopus/names.ts';
import type { Octopus } from '../octopus/octopus.ts';
import type { DomainStatus } from '../dispatcher/domain-status.ts';
import { type Access, type CallOptions, callControl, ControlError } from './control-call.ts';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import { coresUp } from './core-row.ts';
import {
  type AskCores,
  type DispatcherRow,
  dispatchersOf,
  type DomainRow,
  domainsOf,
  killDomain,
  loadProgram,
  spawnDomain,
  waitForDomain,
} from './domains.ts';
import { bundleFile, isProgramFile, type ProgramText, shippedText } from './program-text.ts';
import type { SkbClient } from './skb-client.ts';

/** Where a cluster is reached, and with what. */
export interface ClusterAccess {
  readonly name: string;
  /** The SKB's, host:port. */
  readonly skbAddress: string;
  /** What every control port requires. */
  readonly access: Access;
}

/** The state of a cluster. */
export interface ClusterStatus {
  readonly cluster: string;
  /** Cores that are members now, and how many were planned. */
  readonly members: number;
  readonly expected: number;
  /** Links between them; `meshComplete`: everybody is bound to everybody. */
  readonly links: number;
  readonly meshComplete: boolean;
  /** Records of Octopus. */
  readonly records: number;
}

/** What a new domain is given. */
export interface SpawnRequest {
  /** The core of its first dispatcher; by default the lowest core that is up. */
  readonly core?: CoreId;
  readonly args?: readonly string[];
  /** `mk.env` of the program. `CORES`, the cores that are up, is added unless given. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Best effort: its share of the core relative to other programs; default 1. */
  readonly weight?: number;
}

const STATUS: z.ZodType<ClusterStatus> = z.object({
  cluster: z.string(),
  members: z.number(),
  expected: z.number(),
  links: z.number(),
  meshComplete: z.boolean(),
  records: z.number(),
});
const CORES: z.ZodType<readonly CoreRow[]> = z.array(
  z.object({
    core: z.number(),
    incarnation: z.number(),
    address: z.string(),
    up: z.boolean(),
    links: z.number(),
    package: z.number(),
    host: z.string(),
  }),
);

/** A domain of a cluster: a program that runs or has run, on one core or several. */
export class Domain {
  constructor(
    private readonly cores: AskCores,
    /** Its name: `core.incarnation.n`. */
    readonly name: string,
  ) {}

  /** Waits until all its dispatchers have stopped; resolves with how it ended. */
  wait(): Promise<DomainStatus> {
    return waitForDomain(this.cores, this.name);
  }

  /** Its present status. */
  status(): Promise<DomainStatus> {
    return waitForDomain(this.cores, this.name, { nohang: true });
  }

  /** Stops all its dispatchers; resolves with how it ended. */
  async kill(): Promise<DomainStatus> {
    await killDomain(this.cores, this.name);
    return this.wait();
  }
}

/** The name service: who offers what. A registration ends with this client. */
export class ClusterNames {
  constructor(private readonly octopus: Octopus) {}

  /**
   * Offers a service; rejects with RECORD_EXISTS if somebody already does. Resolves with the function that withdraws
   * it.
   */
  register(name: string, attributes: ServiceAttributes = {}): Promise<Registration> {
    return registerService(this.octopus, name, attributes);
  }

  /** The service's attributes; undefined: it is not offered. */
  lookUp(name: string): Promise<ServiceAttributes | undefined> {
    return lookupService(this.octopus, name);
  }

  /** Waits until somebody offers the service. */
  wait(name: string, signal?: AbortSignal): Promise<ServiceAttributes> {
    return waitForService(this.octopus, name, signal);
  }

  /** Names of all services whose attributes match: `list('{ kind: block }')`. */
  list(attributes = ''): Promise<readonly string[]> {
    return listServices(this.octopus, attributes);
  }
}

/**
 * A running cluster, seen from a process outside it: its programs, its knowledge base, its records and names. Every
 * call rejects with a `ControlError` (or what the call names) whose one line says what to do.
 */
export class Cluster implements AskCores {
  readonly name: string;
  /** Records, triggers, publish/subscribe. Records that this client sets as transient end with it. */
  readonly octopus: Octopus;
  readonly names: ClusterNames;
  /** Addresses of cores, as the SKB last reported them. */
  private readonly addresses = new Map<CoreId, string>();

  /** For `connect`. */
  constructor(
    private readonly access: ClusterAccess,
    private readonly skb: SkbClient,
  ) {
    this.name = access.name;
    this.octopus = skb.octopus;
    this.names = new ClusterNames(skb.octopus);
  }

  async status(): Promise<ClusterStatus> {
    return STATUS.parse(await this.ask('skb', 'status'));
  }

  /** The registered cores. */
  async cores(): Promise<readonly CoreRow[]> {
    const rows = CORES.parse(await this.ask('skb', 'cores'));
    this.addresses.clear();
    for (const { core, address } of rows) this.addresses.set(core, address);
    return rows;
  }

  /** The domains of all cores: running ones, and ones that ended lately. */
  ps(): Promise<readonly DomainRow[]> {
    return domainsOf(this);
  }

  /** The dispatchers of all cores, with their run time in nanoseconds. */
  dispatchers(): Promise<readonly DispatcherRow[]> {
    return dispatchersOf(this);
  }

  /**
   * Starts a program as a new domain: a file of your own (`./hello.ts`; needs esbuild beside it), a shipped one by its
   * name (`ring`), one that the core knows, or a text made by `bundleFile`.
   */
  async spawn(program: string | ProgramText, { core, environment = {}, ...rest }: SpawnRequest = {}): Promise<Domain> {
    const up = coresUp(await this.cores());
    const home = core ?? up[0];
    if (home === undefined || !up.includes(home))
      throw new ControlError('UNREACHABLE', home === undefined ? 'no core is up' : `core ${home} is not up`);
    const { name, text } = typeof program === 'string' ? await textOf(program) : program;
    if (text !== null) await loadProgram(this, home, name, text);
    const request = { program: name, core: home, environment: { CORES: up.join(','), ...environment }, ...rest };
    return this.domain(await spawnDomain(this, home, request));
  }

  /** A domain by its name in `ps`. */
  domain(name: string): Domain {
    return new Domain(this, name);
  }

  /** Stops a domain on all its cores; resolves with how it ended. */
  kill(domain: string): Promise<DomainStatus> {
    return this.domain(domain).kill();
  }

  /** Waits until a domain has ended; resolves with how. */
  wait(domain: string): Promise<DomainStatus> {
    return this.domain(domain).wait();
  }

  /**
   * Waits for a lock of Octopus. It carries a fencing token; a holder that loses the lock is notified (`lost`,
   * `signal`).
   */
  lock(name: string, signal?: AbortSignal): Promise<HeldLock> {
    return acquireLock(this.octopus, name, signal);
  }

  /** All solutions of a Prolog goal; rejects with a `QueryError`. */
  query(
    goal: string,
    options: QueryOptions = {},
  ): Promise<{ readonly solutions: readonly Solution[]; readonly more: boolean }> {
    return this.skb.queryAll(goal, options);
  }

  /** Calls any verb of a core's control port (docs/reference/control-verbs.md). */
  async core(core: CoreId, verb: string, args: object = {}, options: CallOptions = {}): Promise<unknown> {
    if (!this.addresses.has(core)) await this.cores();
    const address = this.addresses.get(core);
    if (address === undefined) throw new ControlError('UNREACHABLE', `there is no core ${core} in ${this.name}`);
    try {
      return await callControl(address, this.access.access, verb, args, options);
    } catch (error) {
      if (error instanceof ControlError && error.error === 'UNREACHABLE') this.addresses.delete(core); // it may live elsewhere now
      throw error;
    }
  }

  /** Calls any verb of the SKB's or a core's control port. */
  ask(process: 'skb' | CoreId, verb: string, args: object = {}, options: CallOptions = {}): Promise<unknown> {
    if (process !== 'skb') return this.core(process, verb, args, options);
    return callControl(this.access.skbAddress, this.access.access, verb, args, options);
  }

  /**
   * Ends the link to the cluster: this client's locks, permits and transient records go. Domains that it started live
   * on.
   */
  close(): Promise<void> {
    return this.skb.close();
  }
}

/** A program by its name or file: its text, or null for a name that only the core may know. */
async function textOf(word: string): Promise<{ readonly name: string; readonly text: string | null }> {
  if (isProgramFile(word)) return bundleFile(word);
  return { name: word, text: shippedText(word) };
}
