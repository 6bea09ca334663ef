import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, DomainId, Nanos } from '@mk/monitor-proto/ids';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import { type ErrorName, errorOfCode } from '@mk/monitor-proto/errors';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import type { Slot } from '../../capability/store/slot.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { Dispatcher, Ending } from '../../cpu-driver/dispatchers/dispatcher.ts';
import type { Dispatchers } from '../../cpu-driver/dispatchers/dispatchers.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { SystemCallDone } from '../../cpu-driver/system-calls.ts';
import type { SystemCall } from '../../effects.ts';
import { Exchange } from '../capops/exchange.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, wait } from '../operations.ts';
import type { MessageHandlers, Service, SystemCallHandlers } from '../service.ts';
import { Homes } from './homes.ts';
import { Outlets } from '../outlets.ts';
import { type Part, Parts } from './parts.ts';
import type { ProcessManager } from './process-manager.ts';
import { programCalls } from './program-calls.ts';
import { programMessages } from './program-messages.ts';
import { ProgramStore } from './program-store.ts';
import { programVerbs } from './program-verbs.ts';
import { RemoteWaits } from './remote-waits.ts';
import { Spawner } from './spawn.ts';

export interface ProgramsPort {
  readonly context: MonitorContext;
  readonly cpuDriver: CpuDriver;
  readonly dispatchers: Dispatchers;
  readonly hmac: Hmac;
  /** This process's instance, which seeds the randomness of its programs. */
  readonly instance: string;
  readonly capops: {
    deleteCspace(root: Slot, now: Nanos, done: (now: Nanos) => void): void;
  };
  readonly systemCall: (domain: DomainId, call: SystemCall, now: Nanos, done: SystemCallDone) => void;
  /** A dispatcher is gone: every service drops its state for it. */
  readonly dispatcherGone: (domain: Domain, now: Nanos) => void;
}

/** The process manager: programs, their domains over cores, spawn, span, kill, exit, wait (Barrelfish’s proc_mgmt and spawnd). */
export class Programs implements Service, ProcessManager {
  readonly context: MonitorContext;
  readonly dispatchers: Dispatchers;
  readonly exchange: Exchange;
  /** News for other monitors. */
  readonly outlets: Outlets;
  readonly store: ProgramStore;
  readonly homes: Homes;
  readonly parts: Parts;
  readonly spawner: Spawner;
  readonly remoteWaits = new RemoteWaits();

  readonly messages = programMessages(this) satisfies MessageHandlers;
  readonly systemCalls = programCalls(this) satisfies SystemCallHandlers;
  readonly verbs = programVerbs(this);

  constructor(private readonly port: ProgramsPort) {
    const { context, cpuDriver, dispatchers, hmac, systemCall } = port;
    this.context = context;
    this.dispatchers = dispatchers;
    this.exchange = new Exchange(context);
    this.outlets = new Outlets(context);
    this.store = new ProgramStore(hmac);
    this.homes = new Homes(context, {
      stopPart: (core, domain, ending, now) => this.stopPart(core, domain, ending, now),
      tellPart: (core, domain, about, error, now) => this.tellPart(core, domain, about, error, now),
    });
    this.parts = new Parts(context, cpuDriver, dispatchers, port.instance, {
      deleteCspace: (root, now, done) => port.capops.deleteCspace(root, now, done),
      ending: (part, ending, now) => this.partEnding(part, ending, now),
      stopped: (part, ending, now) => this.partStopped(part, ending, now),
    });
    this.spawner = new Spawner({
      context,
      exchange: this.exchange,
      store: this.store,
      homes: this.homes,
      parts: this.parts,
      systemCall,
      endDomain: (domain, home, text) => this.inBackground(this.kill(domain, home, text)),
    });
  }

  peerGone(peer: Peer, now: Nanos): void {
    if (!isCorePeer(peer)) return;
    const { id: core } = peer;
    this.exchange.peerGone(core, now);
    this.outlets.peerGone(core);
    this.homes.peerGone(core, now);
    this.remoteWaits.peerGone(core, now);
    const ending = { cause: 'HOME_GONE', status: 1, text: `core ${core}, the home of the domain, is gone` };
    for (const part of this.parts.all()) if (part.spec.home === core) this.parts.stop(part, ending, now);
  }

  sendable(peer: Peer): void {
    if (isCorePeer(peer)) this.outlets.sendable(peer.id);
  }

  leftovers(): readonly string[] {
    const rows: string[] = [];
    const parts = this.parts.all().length;
    if (this.homes.unfinished > 0) rows.push(`${this.homes.unfinished} domains`);
    if (parts > 0) rows.push(`${parts} parts of domains`);
    if (this.remoteWaits.size > 0) rows.push(`${this.remoteWaits.size} waits of other cores for domains`);
    if (this.outlets.size > 0) rows.push('news not yet sent to other monitors');
    return rows;
  }

  dispatcherEnded(dispatcher: Dispatcher, ending: Ending, now: Nanos): void {
    this.parts.dispatcherEnded(dispatcher, ending, now);
  }

  /** The part of a caller, which is in its turn or made a call in it. */
  partOf(caller: Domain): Part {
    const part = this.parts.ofCspace(caller.id);
    if (part === undefined) throw new OperationError('NO_SUCH_DOMAIN', 'the caller has no dispatcher');
    return part;
  }

  /** Ends a part's domain: by `exit`, or after a failure. */
  endWith(part: Part, ending: Ending, now: Nanos): void {
    if (part.ending !== null) return;
    const { domain, home } = part.spec;
    this.parts.stop(part, ending, now);
    this.tellHome(domain, home, ending, now);
  }

  /** Stops every dispatcher of a domain; done once they have been told to stop. */
  *kill(domain: string, home: CoreId, text: string): Operation<void> {
    if (home === this.context.core) {
      this.homes.end(this.homes.find(domain), { cause: 'KILLED', status: 1, text }, this.context.now);
      return;
    }
    const op = this.context.operations.nextId();
    const request = { type: 'domain_kill_request', op, domain, text } as const;
    this.failOn(yield* this.exchange.ask(home, request, 'domain_reply'));
  }

  /** How a domain ended, once it has; with `nohang` its present state. A domain whose home is gone has ended. */
  *wait(domain: string, home: CoreId, nohang: boolean): Operation<DomainStatus> {
    if (home === this.context.core) return yield* this.waitHere(domain, nohang);
    const op = this.context.operations.nextId();
    const request = { type: 'domain_wait_request', op, domain, nohang } as const;
    try {
      const reply = yield* this.exchange.ask(home, request, 'domain_wait_reply');
      this.failOn(reply);
      const { finished, cause, status, text, parts } = reply;
      const rows: Record<string, string> = {};
      for (let i = 0; i + 1 < parts.length; i += 2) rows[known(parts[i])] = known(parts[i + 1]);
      return { domain, finished, cause, status, text, parts: rows };
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      if (error.error === 'CANCELLED') this.outlets.send(home, { type: 'domain_wait_over', op });
      if (error.error !== 'PEER_GONE' && error.error !== 'PEER_UNKNOWN') throw error;
      return { domain, finished: true, cause: 'HOME_GONE', status: 1, text: `core ${home} is gone`, parts: {} };
    }
  }

  *waitHere(domain: string, nohang: boolean): Operation<DomainStatus> {
    const home = this.homes.find(domain);
    if (!home.finished && !nohang)
      yield* wait<void>({
        arm: (resume) => {
          const tell = (_home: unknown, now: Nanos): void => resume(undefined, now);
          home.waiters.add(tell);
          return () => home.waiters.delete(tell);
        },
      });
    return this.statusOf(domain);
  }

  statusOf(domain: string): DomainStatus {
    const { finished, ending, parts } = this.homes.find(domain);
    const told: Record<string, string> = {};
    for (const [core, part] of parts) told[core] = part.state === 'stopped' ? known(part.ending).cause : 'running';
    const { cause, status, text } = finished ? known(ending) : { cause: '', status: 0, text: '' };
    return { domain, finished, cause, status, text, parts: told };
  }

  /** A domain's home, by its name; throws NO_SUCH_DOMAIN for an invalid name. */
  homeOf(domain: string): CoreId {
    const [, core] = /^(\d{1,5})\.\d{1,9}\.\d{1,15}$/.exec(domain) ?? [];
    if (core === undefined)
      throw new OperationError(
        'NO_SUCH_DOMAIN',
        `${domain.slice(0, 40)} names no domain: a domain is core.incarnation.number`,
      );
    return Number(core);
  }

  inBackground(operation: Operation<unknown>): void {
    const { operations, now } = this.context;
    operations.start(operations.nextId(), operation, now, () => undefined, true);
  }

  private failOn({ error, text }: { readonly error: number; readonly text: string; readonly op: string }): void {
    const name: ErrorName = errorOfCode(error) ?? 'BAD_REQUEST';
    if (error !== 0) throw new OperationError(name, text);
  }

  private partEnding(part: Part, ending: Ending, now: Nanos): void {
    this.port.dispatcherGone(part.cspace, now);
    if (part.state === 'cleaning') this.tellHome(part.spec.domain, part.spec.home, ending, now);
  }

  private tellHome(domain: string, core: CoreId, ending: Ending, now: Nanos): void {
    if (core !== this.context.core) return this.outlets.send(core, { type: 'domain_ending', domain, ...ending });
    const home = this.homes.get(domain);
    if (home !== undefined) this.homes.end(home, ending, now);
  }

  private partStopped({ spec }: Part, ending: Ending, now: Nanos): void {
    const { domain, home: core } = spec;
    if (core !== this.context.core) return this.outlets.send(core, { type: 'part_stopped', domain, ...ending });
    const home = this.homes.get(domain);
    if (home !== undefined) this.homes.partStopped(home, core, ending, now);
  }

  private stopPart(core: CoreId, domain: string, ending: Ending, now: Nanos): void {
    if (core !== this.context.core) return this.outlets.send(core, { type: 'part_stop', domain, ...ending });
    const part = this.parts.of(domain);
    if (part !== undefined) this.parts.stop(part, ending, now);
  }

  private tellPart(core: CoreId, domain: string, about: CoreId, error: string, now: Nanos): void {
    if (core !== this.context.core) return this.outlets.send(core, { type: 'part_joined', domain, core: about, error });
    this.toldOfPart(domain, about, error, now);
  }

  toldOfPart(domain: string, about: CoreId, error: string, now: Nanos): void {
    const part = this.parts.of(domain);
    if (part === undefined) return;
    this.parts.tell(
      part,
      error === '' ? { type: 'span_joined', core: about } : { type: 'span_left', core: about, error },
      now,
    );
  }
}
