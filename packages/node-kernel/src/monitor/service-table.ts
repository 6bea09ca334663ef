import { keysOf, tableOf } from '@mk/monitor-proto/tables';
import type { Nanos } from '@mk/monitor-proto/ids';
import { type Message, MESSAGES, type MessageType } from '@mk/monitor-proto/messages/table';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Verb } from '../control/verb.ts';
import {
  SYSTEM_CALLS,
  type SystemCallDone,
  type SystemCallName,
  type SystemCallSpec,
} from '../cpu-driver/system-calls.ts';
import type { Domain } from '../cpu-driver/domains.ts';
import type { ServiceEvent } from '../effects.ts';
import { type Act, ROUND_ACTIONS, type RoundActionName } from './agreement/round-actions.ts';
import type { LinkPolicy, Service } from './service.ts';

/** A message's handler, and the kind of sender that it accepts. */
export interface MessageRoute {
  readonly handler: (from: Peer, message: Message, now: Nanos) => void;
  readonly fromCore: boolean;
  readonly fromSkb: boolean;
}

type CallHandler = (caller: Domain, args: Readonly<Record<string, unknown>>, now: Nanos, done: SystemCallDone) => void;
type ServiceEventHandler = (event: ServiceEvent, now: Nanos) => void;

/**
 * The contributions of a core's services, by key: one look-up for each message, call and event. Made once, with the
 * kernel, which refuses duplicates.
 */
export class ServiceTable {
  readonly list: readonly Service[];
  readonly messages: ReadonlyMap<MessageType, MessageRoute>;
  readonly events: ReadonlyMap<ServiceEvent['type'], ServiceEventHandler>;
  readonly systemCalls: ReadonlyMap<SystemCallName, CallHandler>;
  readonly verbs: ReadonlyMap<string, Verb>;
  readonly linkPolicy: LinkPolicy;
  /** By ordinal. */
  readonly acts: readonly (Act | undefined)[];
  /** The services with each hook, so that only listeners are called. */
  readonly told: { readonly [H in Hook]: readonly (Service & Required<Pick<Service, H>>)[] };

  constructor(
    services: Readonly<Record<string, Service>>,
    /** The kernel's own verbs, whose names no service may use. */
    ownVerbs: Readonly<Record<string, Verb>>,
  ) {
    this.list = Object.values(services);
    const named = Object.entries(services);
    this.messages = new Map(
      [...merged<MessageType, unknown>('message', named, ({ messages }) => messages)].map(routeOf),
    );
    // An event goes to the handler of its own name, which takes no others.
    this.events = merged<ServiceEvent['type'], unknown>(
      'event',
      named,
      ({ events }) => events,
    ) as ServiceTable['events'];
    this.systemCalls = checkedCalls(named);
    this.verbs = merged<string, Verb>('verb', [['the kernel', { verbs: ownVerbs }], ...named], ({ verbs }) => verbs);
    const policy = merged<'only', LinkPolicy>(
      'link policy',
      named,
      ({ linkPolicy }) => linkPolicy && { only: linkPolicy },
    ).get('only');
    if (policy === undefined) throw new Error('no service decides who may have a link');
    this.linkPolicy = policy;
    const acts: (Act | undefined)[] = [];
    for (const [name, act] of merged<RoundActionName, Act>('round action', named, ({ roundActions }) => roundActions)) {
      const { ordinal } = ROUND_ACTIONS[name];
      if (acts[ordinal] !== undefined) throw new Error(`round action ordinal ${ordinal} is used twice`);
      acts[ordinal] = act;
    }
    this.acts = acts;
    this.told = toldOf(this.list);
  }
}

/** Listed by name, so that an omission does not compile. */
const HOOKS = [
  'start',
  'registered',
  'viewChanged',
  'peerUp',
  'peerDown',
  'fenced',
  'peerGone',
  'sendable',
  'volley',
  'screen',
  'dispatcherGone',
  'capabilityChanged',
] as const satisfies readonly (keyof Service)[];
export type Hook = (typeof HOOKS)[number];

function toldOf(list: readonly Service[]): ServiceTable['told'] {
  return tableOf(HOOKS, (hook) => list.filter((service) => service[hook] !== undefined)) as ServiceTable['told'];
}

/** Merges the services' contributions of one kind; throws an Error that names two with the same key. */
function merged<K extends string, T>(
  kind: string,
  services: readonly (readonly [name: string, service: Service])[],
  pick: (service: Service) => { readonly [N in K]?: T } | undefined,
): Map<K, T> {
  const found = new Map<K, T>();
  const from = new Map<string, string>();
  for (const [service, bringing] of services) {
    const brought = pick(bringing) ?? {};
    for (const name of keysOf(brought)) {
      const value = brought[name];

      const other = from.get(name);
      if (other !== undefined) throw new Error(`the ${kind} ${name} is brought by ${other} and by ${service}`);
      from.set(name, service);
      found.set(name, value);
    }
  }
  return found;
}

function routeOf([type, handler]: [MessageType, unknown]): [MessageType, MessageRoute] {
  const { from } = MESSAGES[type];
  const route = {
    handler: handler as MessageRoute['handler'],
    fromCore: from !== 'skb',
    fromSkb: from === 'skb' || from === 'any',
  };
  return [type, route];
}

/** The handlers of system calls; each call must come from the service that its row names. */
function checkedCalls(named: readonly (readonly [string, Service])[]): ReadonlyMap<SystemCallName, CallHandler> {
  const found = merged<SystemCallName, unknown>('system call', named, ({ systemCalls }) => systemCalls);
  for (const [service, { systemCalls = {} }] of named) {
    for (const name of keysOf(systemCalls)) {
      const { acrossCores, servedBy }: SystemCallSpec = SYSTEM_CALLS[name];
      if ((acrossCores ?? servedBy) !== service)
        throw new Error(`the system call ${name} is brought by ${service}; its row says ${acrossCores ?? servedBy}`);
    }
  }
  return found as ReadonlyMap<SystemCallName, CallHandler>;
}
