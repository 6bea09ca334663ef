/**
 * A core's memory server: RAM for its domains, from its own allocator or, when that is empty, from the nearest peer
 * with free memory.
 *
 * C5 holds at every moment: a range is free at its victim, then on its way (accounted there), then free at the thief,
 * whose confirmation ends the transfer. The home remembers a thief's ranges: when the thief dies, the home asks
 * everybody which parts are covered and takes back the rest. When the home dies, its memory goes with it: a thief drops
 * what it has not used. Freed RAM goes home, to the core that contributed it.
 */
import { type CorePeer, isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import { ERRORS } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import type { Range } from '../../capability/model/capability.ts';
import { intersectRanges, subtractRanges, totalBytes } from '../../capability/model/ranges.ts';
import { isRamBacked } from '../../capability/model/type-rules.ts';
import { RIGHTS } from '../../capability/model/rights.ts';
import { beginLoan, borrow, ramFrom } from '../../capability/global/monitor-primitives.ts';
import { freeAddress, resolveSlot } from '../../capability/store/cspace.ts';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, sleepUntil, wait } from '../operations.ts';
import { Pending } from '../pending.ts';
import type { MessageHandlers, Service, SystemCallHandlers, Verbs } from '../service.ts';
import { Nearness } from './nearness.ts';

/** An allocation; sizes in bytes; `near`: the core whose memory is preferred. */
export interface AllocateRequest {
  readonly bytes: number;
  readonly alignment?: number | undefined;
  readonly near?: number | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/** Capability operations, as the memory server uses them. */
export interface ReclaimPort {
  readonly shared: { readonly given: { note(core: CoreId, range: Range): void } };
  readonly reclaims: {
    /** Sends ranges home that nobody uses here. */
    offer(ranges: readonly Range[]): void;
    /** Frees the parts of these ranges that nobody covers, here and everywhere. */
    recover(ranges: readonly Range[]): void;
  };
}

interface Wanted {
  readonly bytes: number;
  readonly alignment: number;
  readonly near: CoreId;
  readonly within: Range;
}

/** A peer's answer: it gave something, or how much it has free, in all and in one piece. */
type StealAnswer = 'given' | 'none' | FreeBytes;

interface FreeBytes {
  readonly free: number;
  readonly largest: number;
}

const PAGE_BYTES = 4096;
const HIGHEST = 2 ** 46;

export class MemoryServer implements Service {
  private readonly nearness: Nearness;
  private readonly waiting = new Pending<OperationId, StealAnswer>();
  /** Peers that still owe an answer, by operation: no other answer is accepted. An entry outlives the wait. */
  private readonly asked = new Map<OperationId, CoreId>();
  private stolenBytes = 0;
  private steals = 0;

  constructor(
    private readonly context: MonitorContext,
    private readonly driver: CpuDriver,
    private readonly capops: ReclaimPort,
  ) {
    this.nearness = new Nearness(() => context.machine);
  }

  readonly messages = {
    ram_steal_request: (from, request) => this.onSteal(from, request),
    ram_steal_reply: (from, reply, now) => this.onStolen(from, reply, now),
    ram_steal_taken: (from, { op }) => {
      if (this.driver.booted && this.state.loans.departing.get(op)?.to === from.id) this.state.loans.taken(op);
    },
  } satisfies MessageHandlers;

  readonly systemCalls = {
    allocate: (domain, { request }, now, done) => {
      const { operations } = this.context;
      const wanted = this.check(request);
      operations.start(operations.nextId(), this.allocate(domain, wanted), now, (outcome, at) =>
        done(
          outcome.ok ? { ok: true, value: outcome.value } : { ok: false, error: outcome.error, text: outcome.text },
          at,
        ),
      );
    },
  } satisfies SystemCallHandlers;

  readonly verbs: Verbs = {
    memory: {
      withoutLease: true,
      args: [],
      doc: 'The RAM of this core by state, its loans by borrower, and the RAM that it has stolen.',
      run: () => this.report(),
    },
  };

  peerGone(peer: Peer, now: Nanos): void {
    if (!isCorePeer(peer)) return;
    const { id } = peer;
    if (this.driver.booted) this.forgetMemory(id);
    for (const [op] of [...this.waiting.entries()].filter(([, peer]) => peer === id))
      this.waiting.answered(op, id, 'none', now);
    for (const [op, core] of [...this.asked]) if (core === id) this.asked.delete(op);
  }

  /**
   * A core's memory went with it: its next life gives out anew what no capability covers. What it had borrowed comes
   * back.
   */
  private forgetMemory(of: CoreId): void {
    const { loans, memory, ram } = this.state;
    ram.take({ address: of * memory.size, size: memory.size });
    const lent = loans.forget(of);
    if (lent.length > 0) this.capops.reclaims.recover(lent);
  }

  leftovers(): readonly string[] {
    if (!this.driver.booted) return [];
    return [...this.state.loans.departing.values()].map(
      ({ to, range }) => `${range.size} bytes of RAM on their way to core ${to}`,
    );
  }

  metrics(): readonly MetricFamily[] {
    if (!this.driver.booted) return [];
    const { free, free_own: own, brought, lent } = this.report();
    const states = Object.entries({ free, in_use: brought - own - lent, lent });
    return [
      {
        name: 'mk_ram_bytes',
        type: 'gauge',
        help: 'RAM that this core contributes or was given, by state.',
        samples: states.map(([state, value]) => ({ labels: { state }, value })),
      },
      {
        name: 'mk_ram_stolen_bytes_total',
        type: 'counter',
        help: 'RAM that this core took from peers because its own ran out.',
        samples: [{ value: this.stolenBytes }],
      },
    ];
  }

  private get state(): LocalCapabilities {
    return this.driver.state;
  }

  /** The answer of `mkctl mem`. */
  private report() {
    const { loans, memory, ram } = this.state;
    const own = totalBytes(intersectRanges(ram.freeRanges(), [memory]));
    const { lent } = loans;
    return {
      brought: memory.size,
      free: ram.freeBytes,
      free_own: own,
      largest_free: this.freeBytes().largest,
      lent: lent.reduce((sum, { bytes }) => sum + bytes, 0),
      lent_to: lent,
      stolen: this.stolenBytes,
      steals: this.steals,
    };
  }

  private freeBytes(): FreeBytes {
    const { ram } = this.state;
    return { free: ram.freeBytes, largest: ram.freeRanges().reduce((most, { size }) => Math.max(most, size), 0) };
  }

  private check({ bytes, alignment = PAGE_BYTES, near, from = 0, to = HIGHEST }: AllocateRequest): Wanted {
    if (bytes === 0) throw new OperationError('SIZE_ALIGNMENT', 'an allocation needs at least one byte');
    if (alignment === 0 || !Number.isInteger(Math.log2(alignment)))
      throw new OperationError('OFFSET_ALIGNMENT', 'an alignment is a power of two');
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const home = near ?? this.context.core;
    if (home !== this.context.core && !this.context.monitors.has(home))
      throw new OperationError('PEER_UNKNOWN', `core ${home} is not a member`);
    const within = { address: from, size: Math.max(0, to - from) };
    return { bytes: size, alignment: Math.max(alignment, PAGE_BYTES), near: home, within };
  }

  /** Places RAM as a capability in a free slot of the domain; returns its address. */
  private *allocate(domain: Domain, wanted: Wanted): Operation<number> {
    const { core } = this.context;
    const peers = this.nearness.sorted(wanted.near, [core, ...this.context.members]);
    const told = new Map<CoreId, FreeBytes>();
    // By the second pass, unused RAM of thieves has come home.
    for (const pass of [1, 2]) {
      for (const peer of peers) {
        const known = this.take(domain, wanted, peer);
        if (known !== null) return known;
        if (peer === core) continue;
        const answer = yield* this.steal(peer, wanted);
        const stolen = answer === 'given' ? this.take(domain, wanted, peer) : null;
        if (stolen !== null) return stolen;
        if (typeof answer === 'object') told.set(peer, answer);
        else if (!this.context.monitors.has(peer)) told.delete(peer);
      }
      if (pass === 1) yield* wait(sleepUntil(this.context.timers, this.context.now + limit('capabilityRetryNs')));
    }
    throw new OperationError('OUT_OF_MEMORY', describeFull(wanted, told.set(core, this.freeBytes())));
  }

  /** Takes memory of one home from this core's allocator. */
  private take({ root }: Domain, { bytes, alignment, within }: Wanted, home: CoreId): number | null {
    const address = freeAddress(this.state, root);
    if (!address.ok) throw new OperationError(address.error, 'no free slot');
    const slot = resolveSlot(this.state, root, { address: address.value }, RIGHTS.read | RIGHTS.write);
    if (!slot.ok) throw new OperationError(slot.error, 'no free slot');
    const { size } = this.state.memory;
    const [inHome] = intersectRanges([{ address: home * size, size }], [within]);
    const range = inHome === undefined ? null : this.state.ram.allocate(bytes, alignment, inHome);
    if (range === null) return null;
    ramFrom(this.state, slot.value, range);
    return address.value;
  }

  /** Returns a peer's memory if it came in time; later memory stays in the allocator. */
  private *steal(core: CoreId, { bytes, alignment, within }: Wanted): Operation<StealAnswer> {
    const op = this.context.operations.nextId();
    const { view, timers } = this.context;
    const [from, to] = [within.address, within.address + within.size];
    return yield* wait<StealAnswer>({
      arm: (resume, now) => {
        const forget = this.waiting.expect(op, core, resume);
        const error = this.context.send(core, { type: 'ram_steal_request', op, view, bytes, alignment, from, to });
        if (error === null) this.asked.set(op, core);
        else resume('none', now);
        const timer = timers.set(now + limit('ramStealWaitNs'), (at) => resume('none', at));
        return () => {
          timers.cancel(timer);
          forget();
        };
      },
    });
  }

  private onSteal(from: CorePeer, { op, bytes, alignment, from: low, to }: MessageOf<'ram_steal_request'>): void {
    const range = this.give(bytes, alignment, { address: low, size: to - low });
    if (range === null) {
      const { free, largest } = this.driver.booted ? this.freeBytes() : { free: 0, largest: 0 };
      this.replyTo(from.id, op, 'OUT_OF_MEMORY', { address: free, size: largest });
      return this.returnStolen();
    }
    beginLoan(this.state, op, from.id, range);
    this.capops.shared.given.note(from.id, range);
    if (this.replyTo(from.id, op, null, range)) return;
    this.state.loans.undo(op);
    this.state.ram.release(range);
  }

  /** Returns unused stolen memory, because somebody is short of memory. */
  private returnStolen(): void {
    if (!this.driver.booted) return;
    const { ram, memory } = this.state;
    const foreign = subtractRanges(ram.freeRanges(), [memory]);
    if (foreign.length > 0) this.capops.reclaims.offer(foreign.flatMap((range) => ram.take(range)));
  }

  /**
   * A piece of at least so many bytes of this core's own memory: only a home lends, so that it knows to whom. A whole
   * chunk if possible, so that a thief does not return for every page.
   */
  private give(bytes: number, alignment: number, within: Range): Range | null {
    if (!this.driver.booted || !(bytes > 0) || !(alignment > 0)) return null;
    const [own] = intersectRanges([this.state.memory], [within]);
    if (own === undefined) return null;
    const chunk = Math.max(bytes, Math.min(limit('ramStealChunkBytes'), Math.floor(this.state.ram.freeBytes / 4)));
    const whole = Math.ceil(chunk / PAGE_BYTES) * PAGE_BYTES;
    const { ram } = this.state;
    return ram.allocate(whole, alignment, own) ?? ram.allocate(bytes, alignment, own);
  }

  private replyTo(core: CoreId, op: OperationId, error: 'OUT_OF_MEMORY' | null, { address, size }: Range): boolean {
    const code = error === null ? 0 : ERRORS[error].code;
    return this.context.send(core, { type: 'ram_steal_reply', op, error: code, address, size }) === null;
  }

  private onStolen(from: CorePeer, { op, error, address, size }: MessageOf<'ram_steal_reply'>, now: Nanos): void {
    if (this.asked.get(op) !== from.id)
      return this.context.offences.note(from.id, 'out_of_place', `ram_steal_reply ${op} that nobody awaits`, now);
    this.asked.delete(op);
    if (error === 0 && isRange({ address, size })) {
      if (this.isCovered({ address, size }))
        return this.context.offences.note(from.id, 'forged', `lends memory that this core has capabilities to`, now);
      borrow(this.state, { address, size });
      this.stolenBytes += size;
      this.steals += 1;
      this.context.outbox.log('ram_stolen', { op, peer: from.id, bytes: size });
      this.tell(from.id, op, now);
    }
    this.waiting.answered(op, from.id, error === 0 ? 'given' : { free: address, largest: size }, now);
  }

  /** Whether a capability here covers part of a range, which then was not its home's to lend. */
  private isCovered(range: Range): boolean {
    let covered = false;
    this.state.database.visitOverlapping(range, ({ capability }) => {
      covered = isRamBacked(capability.type);
      return !covered;
    });
    return covered;
  }

  /** Must not be lost to a full queue: the home would count the range as under way for ever. */
  private tell(core: CoreId, op: OperationId, now: Nanos): void {
    if (this.context.send(core, { type: 'ram_steal_taken', op }) !== 'BUSY') return;
    this.context.timers.set(now + limit('capabilityRetryNs'), (at) => this.tell(core, op, at));
  }
}

function isRange({ address, size }: Range): boolean {
  return address >= 0 && size > 0 && address + size <= HIGHEST;
}

/** Cores named in a refusal, those with the largest pieces first. */
const CORES_NAMED = 4;

/** Explains why an allocation failed: the size wanted, and how much is free on each core. */
function describeFull({ bytes, alignment, within }: Wanted, told: ReadonlyMap<CoreId, FreeBytes>): string {
  const rows = [...told].sort(([, a], [, b]) => b.largest - a.largest);
  const free = rows.reduce((sum, [, row]) => sum + row.free, 0);
  const named = rows.slice(0, CORES_NAMED).map(([core, { largest }]) => `${largest} on core ${core}`);
  const aligned = alignment === PAGE_BYTES ? '' : ` at a multiple of ${alignment}`;
  const { address, size } = within;
  const between =
    address === 0 && size === HIGHEST ? '' : ` from 0x${address.toString(16)} to 0x${(address + size).toString(16)}`;
  return `no core has ${bytes} bytes free in one piece${aligned}${between}; of ${free} free bytes the largest pieces are ${named.join(', ')}`;
}
