import { isListOf, isNumber, isRecord } from '@mk/monitor-proto/guards';
import type { CallAnswer } from '../dispatcher/call-answers.ts';
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, DomainId } from '@mk/monitor-proto/ids';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import { isMkError, MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { byOneDeadline, mayBegin, type WaitOptions, waitFor, type Waker } from '../runtime/waiting.ts';
import { CAPABILITY_TYPE_NAMES } from './type-names.ts';

/** The answer of `identify`. */
export interface CapabilityIdentity {
  /** Its type, as in the reference page “Capability types”. */
  readonly type: string;
  /** Bit sum of RIGHTS. */
  readonly rights: number;
  readonly address: number;
  readonly bytes: number;
  /** The core that serialises operations on it. */
  readonly owner: number;
}

/** What an allocation may ask for: bytes and physical addresses; `near`: the core whose memory is preferred. */
export interface AllocateOptions {
  readonly alignment?: number;
  readonly near?: number;
  readonly from?: number;
  readonly to?: number;
}

/** Rights that a capability carries; mint can only take some away. */
export const RIGHTS = { read: 1, write: 2, execute: 4, grant: 8, identify: 16 } as const;

/** Errors of a wait that its options ended; if nothing was under way then, nothing happened. */
const GIVEN_UP: ReadonlySet<string> = new Set(['CANCELLED', 'DEADLINE_EXCEEDED']);
/** First and longest pause before retrying an operation that another one blocked, and the deadline. */
const RETRY_NS = { first: 1_000_000, most: 128_000_000, deadline: 10_000_000_000 } as const;

/**
 * `mk.capabilities`: what this program holds, by the address in its own cspace. Operations blocked by another one are
 * retried for up to ten seconds; then they throw its error.
 */
export class Capabilities {
  constructor(private readonly runtime: Runtime) {}

  /**
   * RAM of this core, or of the nearest core that has some.
   *
   * @example
   * const ram = await mk.capabilities.alloc(64 << 10);
   */
  async alloc(bytes: number, options: AllocateOptions & WaitOptions = {}): Promise<number> {
    const { alignment, near, from, to, ...waiting } = options;
    // An undefined value cannot cross the border.
    return this.again('allocate', [{ bytes, alignment, near, from, to }], waiting, () => ({
      wake: (address) => this.giveBack([address]),
      fail: nothing,
    }));
  }

  /**
   * Makes objects of a type out of a part of a capability; answers the address of the first, the others follow it.
   *
   * @example
   * const [frame] = await mk.capabilities.retype(ram, 'Frame', { bytes: 4096 });
   */
  async retype(
    source: number,
    type: string,
    options: {
      readonly bytes?: number;
      readonly count?: number;
      readonly offset?: number;
      readonly fields?: readonly number[];
    } & WaitOptions = {},
  ): Promise<readonly number[]> {
    const { bytes = 0, count = 1, offset = 0, fields = [], ...waiting } = options;
    return this.intoFreeSlots(count, waiting, (destination) => ({
      operation: 'retype',
      source: { address: source },
      destination: { address: destination },
      type,
      offset,
      objectSize: bytes,
      count,
      fields,
    }));
  }

  /** A copy in this cspace. */
  copy(source: number, options: WaitOptions = {}): Promise<number> {
    return this.derive({ operation: 'copy', source: { address: source } }, options);
  }

  /**
   * A copy with only these rights.
   *
   * @example
   * const readOnly = await mk.capabilities.mint(frame, RIGHTS.read | RIGHTS.grant);
   */
  mint(source: number, rights: number, options: WaitOptions = {}): Promise<number> {
    return this.derive({ operation: 'mint', source: { address: source }, rights }, options);
  }

  /**
   * Sends a copy to another domain, or gives the capability away; resolves with its address there. Messages carry
   * capabilities, too: see `cap`.
   */
  async send(
    source: number,
    to: { readonly core: CoreId; readonly domain: DomainId },
    options: { readonly giveAway?: boolean } & WaitOptions = {},
  ): Promise<number> {
    const { giveAway = false, ...waiting } = options;
    const sending = { source: { address: source }, core: to.core, domain: to.domain, giveAway };
    const address = await this.again('send', [sending], waiting);
    if (giveAway) this.runtime.slots.release(source);
    return address;
  }

  /**
   * Deletes every other copy and everything made from it, on all cores; this one stays. The addresses of those that were
   * here are taken for new ones once `delete` or `identify` has found nothing there.
   */
  async revoke(target: number, options: WaitOptions = {}): Promise<void> {
    await this.again('invoke', [{ operation: 'revoke', target: { address: target } }], options);
  }

  /** Deletes this copy; the last one takes the object with it. */
  async delete(target: number, options: WaitOptions = {}): Promise<void> {
    await this.atAddress('delete', target, options);
    this.runtime.slots.release(target);
  }

  /**
   * Enters part of a frame, or a page table of the next level, in a page table; resolves with the Mapping capability.
   * Rejects with the reason: MAP_LEVEL, MAP_RANGE, MAP_OFFSET, ENTRY_IN_USE, RIGHTS_NOT_SUBSET, NOT_A_PAGE_TABLE,
   * NOT_MAPPABLE.
   */
  map(
    source: number,
    table: number,
    entries: { readonly entry: number; readonly count: number; readonly offset: number; readonly rights: number },
    options: WaitOptions = {},
  ): Promise<number> {
    return this.derive(
      { operation: 'map', source: { address: source }, table: { address: table }, ...entries },
      options,
    );
  }

  /** Changes the rights of some entries of a mapping; resolves when no core uses the old ones. */
  async protect(
    mapping: number,
    entries: { readonly entry: number; readonly count: number; readonly rights: number },
    options: WaitOptions = {},
  ): Promise<void> {
    await this.again('invoke', [{ operation: 'protect', mapping: { address: mapping }, ...entries }], options);
  }

  /** Removes a mapping; resolves when no core can use it. */
  async unmap(mapping: number, options: WaitOptions = {}): Promise<void> {
    await this.again('invoke', [{ operation: 'unmap', mapping: { address: mapping } }], options);
    this.runtime.slots.release(mapping);
  }

  /** What lies at an address; CAPABILITY_NOT_FOUND. */
  async identify(target: number, options: WaitOptions = {}): Promise<CapabilityIdentity> {
    return identityOf(await this.atAddress('identify', target, options));
  }

  /** Invokes what lies at an address; a slot that turns out to be empty, as a revoke leaves it, may be filled again. */
  private async atAddress(operation: 'delete' | 'identify', address: number, options: WaitOptions) {
    try {
      return await this.again('invoke', [{ operation, target: { address } }], options);
    } catch (error) {
      if (isMkError(error, 'CAPABILITY_NOT_FOUND')) this.runtime.slots.release(address);
      throw error;
    }
  }

  /** Retries an operation while another one blocks it. */
  private async again<N extends string>(
    name: N,
    args: readonly PlainValue[],
    options: WaitOptions,
    abandoned: (() => Waker<CallAnswer<N>>) | null = null,
  ): Promise<CallAnswer<N>> {
    const { runtime } = this;
    const waiting = byOneDeadline(runtime, options);
    const until = runtime.now() + RETRY_NS.deadline;
    for (let pause: number = RETRY_NS.first; ; pause = Math.min(RETRY_NS.most, 2 * pause)) {
      try {
        return await runtime.calls.ask(name, args, waiting, abandoned);
      } catch (error) {
        if (!isMkError(error) || !error.worthRetrying || runtime.now() + pause > until) throw error;
      }
      const ns = Math.ceil(pause * (0.5 + runtime.prng.nextFloat() / 2));
      await waitFor<void>(runtime, 'another operation', waiting, (waker) => {
        const timer = runtime.timers.set(runtime.now() + ns, () => waker.wake());
        return () => runtime.timers.cancel(timer);
      });
    }
  }

  private async derive(invocation: Readonly<Record<string, PlainValue>>, options: WaitOptions): Promise<number> {
    const make = (destination: number) => ({ ...invocation, destination: { address: destination } });
    return known((await this.intoFreeSlots(1, options, make))[0]);
  }

  /** An invocation that fills slots; if somebody else has filled one of them, it takes others. */
  private async intoFreeSlots(
    count: number,
    options: WaitOptions,
    make: (destination: number) => Readonly<Record<string, PlainValue>>,
  ): Promise<readonly number[]> {
    const { slots } = this.runtime;
    const waiting = byOneDeadline(this.runtime, options);
    for (;;) {
      mayBegin(this.runtime, 'an operation on capabilities', waiting);
      const addresses = slots.reserve(count);
      let isUnderWay = false;
      const release = (error: unknown): void => {
        // An operation that may have happened keeps its slots: they might be filled.
        if (isUnderWay || (isMkError(error) && !error.definite && !GIVEN_UP.has(error.name))) return;
        for (const address of addresses) slots.release(address);
      };
      const abandoned = (): Waker<unknown> => {
        isUnderWay = true;
        const fail = (error: unknown): void => {
          isUnderWay = false;
          release(error);
        };
        return { wake: () => this.giveBack(addresses), fail };
      };
      try {
        await this.again('invoke', [make(known(addresses[0]))], waiting, abandoned);
        return addresses;
      } catch (error) {
        if (isMkError(error, 'SLOT_IN_USE')) continue; // filled by the kernel: they stay reserved
        release(error);
        throw error;
      }
    }
  }

  /** Deletes what was created for a caller that has given up. */
  private giveBack(addresses: readonly number[]): void {
    for (const address of addresses) this.delete(address).catch(nothing); // it ends with the domain
  }
}

function nothing(): void {
  // There is nothing to give back.
}

function identityOf(told: PlainValue): CapabilityIdentity {
  const { capability, owner } = isRecord(told) ? told : {};
  if (!isListOf(capability, isNumber) || !isNumber(owner)) throw new MkError('BAD_MESSAGE', 'no capability was told');
  const [type = 0, rights = 0, address = 0, bytes = 0] = capability;
  return { type: CAPABILITY_TYPE_NAMES[type] ?? `type ${type}`, rights, address, bytes, owner };
}
