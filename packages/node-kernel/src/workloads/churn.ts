/*
 * CHURN: random capability operations of one domain, from a seed, each judged by an oracle: the caller's capabilities
 * before the call decide which answers are right. Other domains do the same on other cores with the same memory, so the
 * oracle knows what may not happen (success without the right, a false error, anything left after a revoke) rather than
 * what must. Invariants that span cores are checked from outside: after each step in the simulator, by the audit on a
 * real cluster.
 */
import { keysOf } from '@mk/monitor-proto/tables';
import type { ChurnReport } from '../control/verb-answers.ts';
import { known } from '@mk/monitor-proto/assert';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, DomainId, Incarnation, Nanos } from '@mk/monitor-proto/ids';
import type { Prng } from '@mk/monitor-proto/prng';
import { type Capability, describeCapability, isAncestor, isCopy } from '../capability/model/capability.ts';
import type { CapabilityType } from '../capability/model/types.ts';
import { hasRights, RIGHTS } from '../capability/model/rights.ts';
import type { SystemCallResult } from '../cpu-driver/system-calls.ts';
import { type Domain, FIRST_SLOTS } from '../cpu-driver/domains.ts';
import { createRam } from '../capability/global/monitor-primitives.ts';
import { freeAddress, resolveSlot } from '../capability/store/cspace.ts';
import { isInDelete } from '../capability/store/slot.ts';
import { type Operation, sleepUntil, wait } from '../monitor/operations.ts';
import { timeNow } from '../monitor/waits.ts';
import { callWithRetry } from './caller.ts';
import type { Workbench } from './workbench.ts';

export interface ChurnOptions {
  readonly domain: DomainId;
  /** Other targets of sends: core and domain. */
  readonly peers: readonly (readonly [core: CoreId, domain: DomainId])[];
  readonly operations: number;
  /** Ends by then at the latest; nanoseconds from the beginning. */
  readonly forNs: Nanos;
  /** The longest pause between two operations. */
  readonly pauseNs: Nanos;
  /** A domain that holds more prefers to let go: with few capabilities, domains compete for the same ones. */
  readonly keep: number;
  /** Whether somebody has asked it to end. */
  readonly isOver: () => boolean;
}

/** A capability of a domain, with its address. */
interface Held {
  readonly address: number;
  readonly capability: Capability;
}

const PAGE = 4096;
const WEIGHTS = {
  alloc: 2,
  endpoint: 2,
  copy: 3,
  mint: 2,
  move: 1,
  send: 8,
  give_away: 4,
  retype: 8,
  cnode: 1,
  delete: 7,
  revoke: 4,
  retrieve: 2,
  identify: 1,
  forge: 2,
} as const;
type Kind = keyof typeof WEIGHTS;
const KINDS = keysOf(WEIGHTS);
const TOTAL = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
const SHRINK: readonly Kind[] = ['delete', 'delete', 'revoke', 'give_away'];
const TYPES: readonly CapabilityType[] = [
  'RAM',
  'RAM',
  'RAM',
  'Frame',
  'Frame',
  'VNode_L1',
  'EndPointUMP',
  'L2CNode',
  'Dispatcher',
  'Dispatcher',
];
/** Errors that a caller may see: a library hides everything that a retry can cure, until its deadline. */
const REAL: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'CAPABILITY_NOT_FOUND',
  'CAPABILITY_BUSY',
  'CAPABILITY_BEING_REVOKED',
  'MISSING_RIGHT',
  'RIGHTS_NOT_SUBSET',
  'ADDRESS_OUT_OF_RANGE',
  'NOT_A_CNODE',
  'SLOT_IN_USE',
  'SLOT_TYPE',
  'NO_FREE_SLOT',
  'OFFSET_ALIGNMENT',
  'SIZE_ALIGNMENT',
  'RETYPE_ILLEGAL',
  'RETYPE_WHOLE',
  'RETYPE_COUNT',
  'RETYPE_FIELDS',
  'RETYPE_TOO_LARGE',
  'REVOKE_FIRST',
  'NOT_SENDABLE',
  'NOT_MOVEABLE',
  'OUT_OF_MEMORY',
  'OPERATION_TIMEOUT',
  'PEER_GONE',
  'PEER_UNKNOWN',
  'MEMBERS_CHANGED',
  'BUSY',
  'TOO_MANY_OPERATIONS',
  'VIEW_STALE',
  'CORE_FENCED',
]);

/** Runs the operations one after another. */
export function* churn(bench: Workbench, options: ChurnOptions, prng: Prng): Operation<ChurnReport> {
  const report: ChurnReport = { operations: 0, ok: 0, kinds: {}, errors: {}, wrong: [], elapsedNs: 0 };
  const startedAt = yield* timeNow();
  const runner = new Runner(bench, options, prng, report);
  for (let n = 0; n < options.operations; n += 1) {
    const now = yield* timeNow();
    if (now - startedAt >= options.forNs || runner.domain === undefined || options.isOver()) break;
    if (n > 0) yield* wait(sleepUntil(bench.context.timers, now + 1 + prng.nextInt(options.pauseNs)));
    yield* runner.one();
  }
  report.elapsedNs = (yield* timeNow()) - startedAt;
  return report;
}

class Runner {
  /** The address of the running call, and its capability when the call was last tried. */
  private address = 0;
  private current: Capability | null = null;
  /** Whether another core owned it: that core is asked to act, and may be in a later view than this one. */
  private foreign = false;
  /** The incarnation of its target when a send was last tried; null: none was known. */
  private asked: Incarnation | null = null;
  /** The incarnation in which a core last had the target domain: its next one has no such domain. */
  private readonly reached = new Map<CoreId, Incarnation>();

  constructor(
    private readonly bench: Workbench,
    private readonly options: ChurnOptions,
    private readonly prng: Prng,
    private readonly report: ChurnReport,
  ) {}

  get domain(): Domain | undefined {
    return this.bench.cpuDriver.domains.get(this.options.domain);
  }

  *one(): Operation<void> {
    const held = this.held();
    const kind = this.pickKind(held.length);
    const suited = kind === 'endpoint' ? held.filter(({ capability }) => capability.type === 'Dispatcher') : [];
    const among = suited.length > 0 ? suited : held;
    const picked = among[this.prng.nextInt(Math.max(1, among.length))];
    this.report.operations += 1;
    this.report.kinds[kind] = (this.report.kinds[kind] ?? 0) + 1;
    if (picked === undefined || (kind === 'alloc' && held.length <= this.options.keep)) return this.allocate();
    this.address = picked.address;
    const result = yield* this.perform(kind === 'alloc' ? 'delete' : kind, picked);
    if (result.ok) this.report.ok += 1;
    else this.report.errors[result.error] = (this.report.errors[result.error] ?? 0) + 1;
    if (!result.ok && !REAL.has(result.error) && result.error !== 'NO_SUCH_DOMAIN')
      this.object(`${kind} of ${describeCapability(picked.capability)} was answered ${result.error}`);
  }

  /** Everything in the cspace except the domain's own task CNode. */
  private held(): Held[] {
    const { cpuDriver } = this.bench;
    const found: Held[] = [];
    for (const { address, slot } of cpuDriver.domains.slotsOf(cpuDriver.state, known(this.domain))) {
      if (address !== FIRST_SLOTS.taskCNode && !isInDelete(slot)) found.push({ address, capability: slot.capability });
    }
    return found;
  }

  private pickKind(count: number): Kind {
    if (count > this.options.keep && this.prng.nextInt(3) > 0) return known(SHRINK[this.prng.nextInt(SHRINK.length)]);
    let at = this.prng.nextInt(TOTAL);
    return known(KINDS.find((kind) => (at -= WEIGHTS[kind]) < 0));
  }

  /** Allocates as a memory server would. */
  private allocate(): void {
    const { state } = this.bench.cpuDriver;
    const address = freeAddress(state, known(this.domain).root);
    const slot = address.ok ? resolveSlot(state, known(this.domain).root, { address: address.value }) : address;
    if (!slot.ok) return;
    const made = createRam(state, slot.value, PAGE * 2 ** this.prng.nextInt(7));
    if (made.ok) this.report.ok += 1;
  }

  private *perform(kind: Exclude<Kind, 'alloc'>, held: Held): Operation<SystemCallResult> {
    const source = { address: held.address };
    const destination = { address: this.freeOrAny() };
    const needed: Partial<Record<Kind, number>> = {
      send: RIGHTS.grant,
      give_away: RIGHTS.grant,
      revoke: RIGHTS.grant,
      retrieve: RIGHTS.grant,
      identify: RIGHTS.identify,
    };
    const rights = needed[kind] ?? 0;
    const calls: { readonly [K in Exclude<Kind, 'alloc'>]: () => Operation<SystemCallResult> } = {
      copy: () => this.invoke({ operation: 'copy', source, destination }),
      mint: () =>
        this.invoke({
          operation: 'mint',
          source,
          destination,
          rights: held.capability.rights & ~(this.prng.nextInt(4) === 0 ? RIGHTS.grant : RIGHTS.write),
        }),
      move: () => this.invoke({ operation: 'move', source, destination }),
      send: () => this.send(source, false),
      give_away: () => this.send(source, true),
      retype: () => this.retype(held, destination),
      endpoint: () =>
        this.invoke({
          operation: 'retype',
          source,
          destination,
          type: 'EndPointLMP',
          offset: 0,
          objectSize: 0,
          count: 1,
          fields: [this.prng.nextInt(100)],
        }),
      cnode: () =>
        this.invoke({
          operation: 'retype',
          source,
          destination: { address: 256 * (2 + this.prng.nextInt(4)), level: 1 },
          type: 'L2CNode',
          offset: this.offsetIn(held),
          objectSize: 0,
          count: 1,
        }),
      delete: () => this.invoke({ operation: 'delete', target: source }),
      revoke: () => this.revoke(held),
      retrieve: () => this.call('retrieve', [source]),
      identify: () => this.invoke({ operation: 'identify', target: source }),
      forge: () => this.forge(source),
    };
    const result = yield* calls[kind]();
    if (result.ok && !this.holdsRight(rights))
      this.object(`${kind} of ${describeCapability(held.capability)} succeeded without the right (C6)`);
    return result;
  }

  private *send(source: { readonly address: number }, giveAway: boolean): Operation<SystemCallResult> {
    const { peers } = this.options;
    const [core, domain] = known(peers[this.prng.nextInt(peers.length)]);
    // The answer may arrive after its core is gone: it concerns the incarnation that was asked.
    const result = yield* this.call('send', [{ source, core, domain, giveAway }], () => {
      this.asked = this.incarnationOf(core);
    });
    const { asked } = this;
    if (asked === null) return result;
    if (result.ok) this.reached.set(core, asked);
    else if (result.error === 'NO_SUCH_DOMAIN' && !this.foreign && this.reached.get(core) === asked)
      this.object(`a domain of core ${core} that has accepted capabilities is gone`);
    return result;
  }

  private incarnationOf(core: CoreId): Incarnation | null {
    const { context } = this.bench;
    if (core === context.core) return context.incarnation;
    const incarnation = context.monitors.get(core)?.incarnation;
    return incarnation !== undefined && context.isInView({ core, incarnation }) ? incarnation : null;
  }

  private *retype(held: Held, destination: { readonly address: number }): Operation<SystemCallResult> {
    const type = known(TYPES[this.prng.nextInt(TYPES.length)]);
    const fixed = type === 'VNode_L1' || type === 'L2CNode' || type === 'Dispatcher';
    const objectSize = fixed ? 0 : PAGE * 2 ** this.prng.nextInt(3);
    const result = yield* this.invoke({
      operation: 'retype',
      source: { address: held.address },
      destination,
      type,
      offset: this.offsetIn(held),
      objectSize,
      count: 1 + this.prng.nextInt(2),
    });
    if (result.ok && type !== this.current?.type && !this.holdsRight(RIGHTS.write))
      this.object(`retype of ${describeCapability(held.capability)} to ${type} succeeded without the right (C6)`);
    return result;
  }

  /** C3, as far as one core sees: after a successful revoke nothing of its target is left but the slot itself. */
  private *revoke(held: Held): Operation<SystemCallResult> {
    const result = yield* this.invoke({ operation: 'revoke', target: { address: held.address } });
    const target = this.current;
    if (!result.ok || target === null) return result;
    const left = [...this.bench.cpuDriver.state.database.groups()]
      .filter(({ capability }) => isCopy(capability, target) || isAncestor(target, capability))
      .flatMap(({ slots }) => [...slots]);
    if (left.length > 1) {
      const rows = left.map(
        ({ capability, container, index, deleting, marks }) =>
          `${describeCapability(capability)} in ${container.kind} slot ${index}${deleting ? ' deleting' : ''}${marks > 0 ? ' frozen' : ''}`,
      );
      this.object(`after the revoke of ${describeCapability(target)} there are ${rows.join(', ')} (C3)`);
    }
    return result;
  }

  /** Calls that must be refused to any caller (C6). */
  private *forge(source: { readonly address: number }): Operation<SystemCallResult> {
    const forged = [
      () => this.invoke({ operation: 'revoke', target: { address: 2 ** 31 } }),
      () => this.invoke({ operation: 'mint', source, destination: { address: this.freeOrAny() }, rights: 1024 }),
      () => this.call('send', [{ source: { address: 200 * 256 }, core: 0, domain: 1 }]),
      () =>
        this.invoke({
          operation: 'retype',
          source,
          destination: { address: this.freeOrAny() },
          type: 'PhysAddr',
          offset: 0,
          objectSize: PAGE,
          count: 1,
        }),
      () =>
        this.invoke({
          operation: 'retype',
          source,
          destination: { address: this.freeOrAny() },
          type: 'Kernel',
          offset: 0,
          objectSize: 0,
          count: 1,
        }),
    ];
    const which = this.prng.nextInt(forged.length);
    const result = yield* known(forged[which])();
    if (result.ok) this.object(`a forged call, number ${which}, succeeded (C6)`);
    return result;
  }

  private offsetIn({ capability }: Held): number {
    return PAGE * this.prng.nextInt(Math.max(1, Math.min(64, Math.floor(capability.size / PAGE))));
  }

  /** Mostly an empty slot; now and then any. */
  private freeOrAny(): number {
    if (this.prng.nextInt(8) === 0) return 256 * this.prng.nextInt(6) + this.prng.nextInt(12);
    const address = freeAddress(this.bench.cpuDriver.state, known(this.domain).root);
    return address.ok ? address.value + this.prng.nextInt(2) : 0;
  }

  private invoke(invocation: Readonly<Record<string, unknown>>): Operation<SystemCallResult> {
    return this.call('invoke', [invocation]);
  }

  private call(
    name: string,
    args: readonly unknown[],
    beforeAttempt: () => void = () => undefined,
  ): Operation<SystemCallResult> {
    const { context, systemCall } = this.bench;
    return callWithRetry(systemCall, context.timers, this.options.domain, { name, args }, this.prng, () => {
      const { state } = this.bench.cpuDriver;
      const slot = resolveSlot(state, known(this.domain).root, { address: this.address });
      this.current = slot.ok ? slot.value.capability : null;
      this.foreign = slot.ok && slot.value.group !== null && state.isForeign(slot.value.group);
      beforeAttempt();
    });
  }

  /** C6: whether the capability at the address carried the rights when the call was made. */
  private holdsRight(rights: number): boolean {
    return this.current !== null && hasRights(this.current.rights, rights);
  }

  private object(text: string): void {
    if (this.report.wrong.length < 20) this.report.wrong.push(text);
  }
}
