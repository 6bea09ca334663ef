import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { DomainId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { KernelConfig } from './config.ts';
import { DomainControl } from './control/domain-control.ts';
import type { CpuDriver } from './cpu-driver/cpu-driver.ts';
import { DispatcherService } from './cpu-driver/dispatchers/dispatcher-service.ts';
import type { Domain } from './cpu-driver/domains.ts';
import { Endpoints } from './cpu-driver/endpoints/endpoints.ts';
import type { ServedCall, SystemCallDone, SystemCallResult } from './cpu-driver/system-calls.ts';
import type { ServiceEvent, SystemCall } from './effects.ts';
import { Agreement } from './monitor/agreement/agreement.ts';
import { Seals } from './monitor/agreement/seals.ts';
import type { Act, RoundActionName } from './monitor/agreement/round-actions.ts';
import { Capops } from './monitor/capops/capops.ts';
import type { CapopsPort } from './monitor/capops/context.ts';
import { Channels } from './monitor/channels/channels.ts';
import type { Receivers } from './monitor/channels/ends.ts';
import { Conduct } from './monitor/conduct/conduct.ts';
import type { MonitorContext } from './monitor/context.ts';
import { Knowledge } from './monitor/knowledge/knowledge.ts';
import { ProgramKnowledge } from './monitor/knowledge/program-knowledge.ts';
import type { JoinHost } from './monitor/membership/join.ts';
import { Membership } from './monitor/membership/membership.ts';
import type { Member } from './monitor/views/view.ts';
import { Probes } from './monitor/probes/probes.ts';
import { AddressSpaces } from './monitor/memory/address-spaces.ts';
import { MemoryServer } from './monitor/memory/memory-server.ts';
import { Pages } from './monitor/memory/pages.ts';
import { Programs } from './monitor/programs/programs.ts';
import type { CoreMessage } from './monitor/service.ts';
import { Rogue } from './monitor/rogue/rogue.ts';
import { Views } from './monitor/views/views.ts';
import type { ViewsHost } from './monitor/views/views-host.ts';
import { Workloads } from './workloads/workloads.ts';

/** The kernel, as its services see it. */
export interface Core {
  readonly config: KernelConfig;
  readonly context: MonitorContext;
  readonly cpuDriver: CpuDriver;
  readonly joinHost: JoinHost;
  /** Delivers upcalls to this core's dispatchers. */
  readonly receivers: Receivers;
  /** Gives that dispatcher the core next. */
  readonly switchTo: (dispatcher: number) => void;
  /** This core's act for each action's rounds, whichever service contributes it. */
  readonly actOf: (ordinal: number) => Act | undefined;
  /** Makes a system call of a domain of this core, as its dispatcher would. */
  readonly systemCall: (domain: DomainId, call: SystemCall, now: Nanos, done: SystemCallDone) => void;
  /** Like `systemCall`, for calls that are answered within the caller's turn. */
  readonly systemCallNow: (domain: DomainId, call: SystemCall, now: Nanos) => SystemCallResult;
  /** Tells every service that this core's lease has expired, or is valid again. */
  readonly fenced: (fenced: boolean, now: Nanos) => void;
  /** The core has been without a lease for so long that nobody should wait for it. */
  readonly cutOff: () => void;
  /** Hands a message to the service that handles it. */
  readonly deliver: (peer: Peer, message: Message, now: Nanos) => void;
  /** Memory that lost a capability since the last call, which the caller must reclaim. */
  readonly takeFreed: CapopsPort['takeFreed'];
  /** Tells every service that a dispatcher is gone. */
  readonly dispatcherGone: (domain: Domain, now: Nanos) => void;
}

/** Ties the knot: registry and views need each other. */
function createMembership(
  core: Core,
  agreement: Agreement,
): { readonly membership: Membership; readonly views: Views } {
  const { config, context } = core;
  const { joinHost } = core;
  const proofOfDeath = (member: Member, now: Nanos): void => views.reaped(member, now);
  const membership: Membership = new Membership(context, config, { ...joinHost, proofOfDeath });
  const host: ViewsHost = {
    known: () => membership.join.known,
    dropped: (member, cause, now) => membership.giveUp(member, cause, now),
    fenced: (fenced, now) => core.fenced(fenced, now),
    cutOff: () => core.cutOff(),
    examine: (accused) => agreement.examine(accused),
    excluded: (text) => joinHost.fail('PEER_GONE', text),
  };
  const views: Views = new Views(context, host, config.hostClockNs);
  return { membership, views };
}

function createCapops(core: Core, agreement: Agreement, whenSettled: CapopsPort['whenSettled']): Capops {
  const { config, context, cpuDriver, receivers, takeFreed } = core;
  return new Capops({
    context,
    driver: cpuDriver,
    agreement,
    seals: new Seals(config.hmac, config.entropy),
    takeFreed,
    asked: (domain, op) => receivers.upcall(domain, { type: 'consent', op }, context.now),
    whenSettled,
  });
}

function createConduct(core: Core, agreement: Agreement, capops: Capops, spaces: AddressSpaces, pages: Pages): Conduct {
  const { context, cpuDriver, deliver } = core;
  const isOpen = (op: OperationId): boolean => capops.hasBegun(op);
  return new Conduct(context, cpuDriver, deliver, isOpen, () => agreement.rounds.waitsSince, {
    hasTold: (peer) => spaces.hasTold(peer),
    // An earlier life may have handed out memory that this one does not know of.
    hasHanded: (range) => context.incarnation > 1 || capops.shared.given.hasTo(range),
    turnAwayReset: (peer, op, now) => spaces.turnAwayReset(peer, op, now),
    turnAway: (peer, asks) => pages.turnAway(peer, asks),
  });
}

/**
 * The services of a core, by name: one line each. They are started and called in this order, so that services that hear
 * of a gone peer or a changed view find membership up to date. Above the list stands what several share.
 */
export function createServices(core: Core) {
  const { config, context, cpuDriver } = core;
  const agreement = new Agreement(context, core.actOf);
  const capops = createCapops(core, agreement, (goOn) => addressSpaces.whenSettled(goOn));
  const knowledge = new Knowledge(context);
  const channels = new Channels(context, capops.shared, knowledge.requests, core.receivers);
  const { membership, views } = createMembership(core, agreement);
  const { systemCall, systemCallNow, dispatcherGone } = core;
  const dispatcherService: DispatcherService = new DispatcherService({
    context,
    systemCall,
    systemCallNow,
    turnOver: (dispatcher, turn) => pages.turnOver(dispatcher, turn),
    ended: (dispatcher, ending, now) => programs.dispatcherEnded(dispatcher, ending, now),
  });
  const programs: Programs = new Programs({
    context,
    cpuDriver,
    dispatchers: dispatcherService.dispatchers,
    hmac: config.hmac,
    instance: config.instance,
    capops,
    systemCall,
    dispatcherGone,
  });
  const pages: Pages = new Pages(context, cpuDriver, agreement, dispatcherService.dispatchers);
  const addressSpaces: AddressSpaces = new AddressSpaces({
    context,
    driver: cpuDriver,
    agreement,
    dispatchers: dispatcherService.dispatchers,
    pages,
    sharesMemory: config.separateMemory !== true,
    domainOf: (caller) => programs.partOf(caller).spec,
  });
  return {
    conduct: createConduct(core, agreement, capops, addressSpaces, pages),
    membership,
    views,
    agreement,
    capops,
    memory: new MemoryServer(context, cpuDriver, capops),
    probes: new Probes(context),
    knowledge,
    programKnowledge: new ProgramKnowledge(knowledge.requests, () => knowledge.use(), core.receivers, context),
    channels,
    endpoints: new Endpoints(cpuDriver, (...copy) => capops.copyInto(...copy), core.receivers, core.switchTo),
    dispatchers: dispatcherService,
    pages,
    addressSpaces,
    programs,
    domains: new DomainControl(context, cpuDriver, capops, systemCall),
    workloads: new Workloads({ context, cpuDriver, agreement, systemCall }),
    rogue: new Rogue(context, cpuDriver),
  };
}

export type Services = ReturnType<typeof createServices>;

/** The keys that the services contribute under one name of the interface. */
type Brought<K extends 'messages' | 'roundActions' | 'systemCalls' | 'events'> = {
  [S in keyof Services]: Services[S] extends { readonly [P in K]: infer T } ? keyof T : never;
}[keyof Services];

/** Keys of a table that no service contributes; the line below compiles only when this is `never`. */
type Missing =
  | Exclude<CoreMessage, Brought<'messages'>>
  | Exclude<RoundActionName, Brought<'roundActions'>>
  | Exclude<ServedCall, Brought<'systemCalls'>>
  | Exclude<ServiceEvent['type'], Brought<'events'>>;
export const COMPLETE: [Missing] extends [never] ? true : `no service brings ${Missing}` = true;
