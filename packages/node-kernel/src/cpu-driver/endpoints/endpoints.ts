import { known, assertInvariant } from '@mk/monitor-proto/assert';
import type { DomainId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { makeCapability } from '../../capability/model/capability.ts';
import type { Change } from '../../capability/model/changes.ts';
import { hasRights, RIGHTS } from '../../capability/model/rights.ts';
import { freeAddress, lookup, resolveSlot } from '../../capability/store/cspace.ts';
import type { Slot } from '../../capability/store/slot.ts';
import { invoke } from '../../capability/invocations/perform.ts';
import { place } from '../../capability/invocations/placement.ts';
import type { Receivers } from '../../monitor/channels/ends.ts';
import { OperationError } from '../../monitor/operations.ts';
import type { Service, SystemCallHandlers } from '../../monitor/service.ts';
import type { CpuDriver } from '../cpu-driver.ts';
import type { Domain } from '../domains.ts';

/** An endpoint's number and the messages not yet taken from it. */
interface Endpoint {
  /** Its name in upcalls. */
  readonly id: number;
  readonly owner: number;
  readonly number: number;
  /** Messages delivered and not yet taken. */
  held: number;
  /** Senders refused for want of room, and the addresses of their capabilities. */
  readonly refused: Map<number, number>;
}

/** Memory of the kernel half of a dispatcher. */
const DISPATCHER_BYTES = 1024;
/** An LRPC message fits in registers. */
const LRPC_WORDS = 4;

/**
 * Same-core messages (LMP, LRPC): a dispatcher makes endpoints from its Dispatcher capability and hands copies to
 * others of its core; a holder with the write right may send words and one capability. No other core is concerned.
 *
 *   EP1  nobody sends to an endpoint without its capability (C6); a dispatcher's endpoints go with it, and every
 *       capability to them
 *   EP2  an endpoint holds at most `endpointMessages` not yet taken; more is ENDPOINT_OVERFLOW, and nothing was
 *       delivered
 *   EP3  what is delivered arrives once, in the order of sending
 */
export class Endpoints implements Service {
  private readonly byId = new Map<number, Endpoint>();
  /** By the address of the dispatcher's memory, then by number. */
  private readonly byDispatcher = new Map<number, Map<number, Endpoint>>();
  private readonly dispatcherOf = new Map<number, number>();
  private lastId = FIRST_ID;

  readonly systemCalls = {
    dispatcher_self: (caller, _args, now, done) => done({ ok: true, value: this.selfOf(caller) }, now),
    endpoint_create: (caller, { number }, now, done) => done({ ok: true, value: this.create(caller, number) }, now),
    endpoint_send: (caller, { endpoint, words, capability }, now, done) => {
      this.send(caller, endpoint, words, capability, limit('endpointWords'), now);
      done({ ok: true, value: null }, now);
    },
    lrpc: (caller, { endpoint, words }, now, done) => {
      const to = this.send(caller, endpoint, words, undefined, LRPC_WORDS, now);
      this.switchTo(to.owner);
      done({ ok: true, value: null }, now);
    },
    endpoint_taken: (caller, { endpoint, count }, now, done) => {
      this.taken(caller, endpoint, count, now);
      done({ ok: true, value: null }, now);
    },
  } satisfies SystemCallHandlers;

  constructor(
    private readonly cpuDriver: CpuDriver,
    /** Copies a capability, with its rights, into the cspace of a domain of this core; answers its address there. */
    private readonly copyInto: (receiver: DomainId, source: Slot, rights: number) => number,
    private readonly receivers: Receivers,
    /** That dispatcher gets the core next, without asking the scheduler. */
    private readonly switchTo: (dispatcher: number) => void,
  ) {}

  /** The number of endpoints on this core. */
  get size(): number {
    return this.byId.size;
  }

  leftovers(): readonly string[] {
    return this.byId.size > 0 ? [`${this.byId.size} endpoints`] : [];
  }

  dispatcherGone({ id }: Domain): void {
    const address = this.dispatcherOf.get(id);
    if (address !== undefined) this.forget(address);
    this.dispatcherOf.delete(id);
  }

  /** A destroyed Dispatcher takes its endpoints along. */
  capabilityChanged(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'destroyed' && change.capability.type === 'Dispatcher')
        this.forget(change.capability.address);
    }
  }

  private forget(dispatcher: number): void {
    for (const { id } of this.byDispatcher.get(dispatcher)?.values() ?? []) this.byId.delete(id);
    this.byDispatcher.delete(dispatcher);
  }

  /** The address of the caller's Dispatcher capability, which is created on first use. */
  private selfOf(caller: Domain): number {
    const { state } = this.cpuDriver;
    for (const { address, slot } of this.cpuDriver.domains.slotsOf(state, caller)) {
      const { capability } = slot;
      if (capability?.type === 'Dispatcher' && capability.address === this.dispatcherOf.get(caller.id)) return address;
    }
    if (this.dispatcherOf.has(caller.id)) throw new OperationError('CAPABILITY_NOT_FOUND', 'the caller has deleted it');
    const { slot, address } = this.freeSlot(caller);
    const range = state.ram.allocate(DISPATCHER_BYTES, DISPATCHER_BYTES, state.memory);
    if (range === null) throw new OperationError('OUT_OF_MEMORY', 'no memory for a Dispatcher');
    const capability = makeCapability('Dispatcher', range.address, DISPATCHER_BYTES);
    place(state, slot, capability, { owner: state.core, relations: 0 });
    this.dispatcherOf.set(caller.id, range.address);
    return address;
  }

  private create(caller: Domain, number: number): { readonly endpoint: number; readonly address: number } {
    const self = this.selfOf(caller);
    const dispatcher = known(this.dispatcherOf.get(caller.id));
    const siblings = this.byDispatcher.get(dispatcher) ?? new Map<number, Endpoint>();
    if (siblings.has(number)) throw new OperationError('SLOT_IN_USE', `the caller already has an endpoint ${number}`);
    const { address } = this.freeSlot(caller);
    const made = invoke(this.cpuDriver.state, caller.root, {
      operation: 'retype',
      source: { address: self },
      destination: { address },
      type: 'EndPointLMP',
      offset: 0,
      objectSize: 0,
      count: 1,
      fields: [number],
    });
    if (!made.ok) throw new OperationError(made.error, 'an endpoint out of the Dispatcher');
    const endpoint: Endpoint = { id: ++this.lastId, owner: caller.id, number, held: 0, refused: new Map() };
    siblings.set(number, endpoint);
    this.byDispatcher.set(dispatcher, siblings);
    this.byId.set(endpoint.id, endpoint);
    return { endpoint: endpoint.id, address };
  }

  private send(
    caller: Domain,
    address: number,
    words: readonly number[],
    capability: number | undefined,
    mostWords: number,
    now: Nanos,
  ): Endpoint {
    if (words.length > mostWords)
      throw new OperationError('MESSAGE_TOO_LARGE', `${words.length} words where ${mostWords} fit`);
    const endpoint = this.named(caller, address);
    if (endpoint.held >= limit('endpointMessages')) {
      endpoint.refused.set(caller.id, address);
      throw new OperationError('ENDPOINT_OVERFLOW', 'the receiver has not taken earlier messages');
    }
    const capabilities = capability === undefined ? [] : [this.copyTo(caller, capability, endpoint.owner)];
    endpoint.held += 1;
    assertHeld(endpoint);
    const upcall = { type: 'message', channel: endpoint.id, words, data: NO_BYTES, capabilities } as const;
    this.receivers.upcall(endpoint.owner, upcall, now);
    return endpoint;
  }

  /** The endpoint that one of the caller's capabilities names (EP1). */
  private named(caller: Domain, address: number): Endpoint {
    const { capability } = this.held(caller, address, RIGHTS.write);
    const { type, address: dispatcher, fields } = known(capability);
    if (type !== 'EndPointLMP') throw new OperationError('NO_SUCH_ENDPOINT', `a ${type} is not an endpoint`);
    const endpoint = this.byDispatcher.get(dispatcher)?.get(fields[0] ?? -1);
    if (endpoint === undefined) throw new OperationError('NO_SUCH_ENDPOINT', 'its dispatcher is gone');
    return endpoint;
  }

  private copyTo(caller: Domain, address: number, receiver: DomainId): number {
    const slot = this.held(caller, address, RIGHTS.grant);
    if (slot.group?.locked === true) throw new OperationError('CAPABILITY_BUSY', 'another operation holds it');
    return this.copyInto(receiver, slot, known(slot.capability).rights);
  }

  private held(caller: Domain, address: number, rights: number): Slot {
    const found = lookup(this.cpuDriver.state, caller.root, { address });
    if (!found.ok) throw new OperationError(found.error, 'not held');
    if (!hasRights(found.value.capability.rights, rights))
      throw new OperationError('MISSING_RIGHT', 'held without the right');
    return found.value;
  }

  private taken(caller: Domain, id: number, count: number, now: Nanos): void {
    const endpoint = this.byId.get(id);
    if (endpoint?.owner !== caller.id) throw new OperationError('NO_SUCH_ENDPOINT', 'the caller has no such endpoint');
    if (count > endpoint.held) throw new OperationError('BAD_SYSTEM_CALL', 'more messages were taken than came');
    endpoint.held -= count;
    assertHeld(endpoint);
    const refused = [...endpoint.refused];
    endpoint.refused.clear();
    for (const [domain, channel] of refused) this.receivers.upcall(domain, { type: 'writable', channel }, now);
  }

  private freeSlot({ root }: Domain): { readonly slot: Slot; readonly address: number } {
    const { state } = this.cpuDriver;
    const address = freeAddress(state, root);
    if (!address.ok) throw new OperationError(address.error, 'the caller’s cspace is full');
    const slot = resolveSlot(state, root, { address: address.value }, RIGHTS.read | RIGHTS.write);
    if (!slot.ok) throw new OperationError(slot.error, 'the caller’s cspace');
    return { slot: slot.value, address: address.value };
  }
}

/** EP2. */
function assertHeld({ id, held }: Endpoint): void {
  assertInvariant('EP2', held >= 0 && held <= limit('endpointMessages'), () => `endpoint ${id} holds ${held} messages`);
}

const NO_BYTES = new Uint8Array();
/** Endpoints and channels share one number space towards a dispatcher: endpoints are above. */
const FIRST_ID = 2 ** 40;
