import type { RevokeSummary } from '../control/verb-answers.ts';
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, DomainId, Nanos } from '@mk/monitor-proto/ids';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { freeAddress, resolveSlot } from '../capability/store/cspace.ts';
import { createRam } from '../capability/global/monitor-primitives.ts';
import type { SystemCallResult } from '../cpu-driver/system-calls.ts';
import type { SystemCall } from '../effects.ts';
import { timedRound } from '../monitor/agreement/agreement.ts';
import { timeNow } from '../monitor/waits.ts';
import { type Operation, OperationError, sleepUntil, wait } from '../monitor/operations.ts';
import { summarise } from '../monitor/statistics.ts';
import { callWithRetry } from './caller.ts';
import type { Workbench } from './workbench.ts';

/** A domain on another core: core and number. */
export type PeerDomain = readonly [core: CoreId, domain: DomainId];

const PAGE = 4096;
const NO_PAYLOAD = new Uint8Array();

/**
 * Alternates revokes that have a copy on every peer's core with empty two-phase rounds over the same plan, each after
 * `quiet` nanoseconds, in which earlier acks settle. Times in nanoseconds, taken at the initiator.
 */
export function* measureRevokes(
  bench: Workbench,
  domain: DomainId,
  peers: readonly PeerDomain[],
  count: number,
  quiet: Nanos,
): Operation<RevokeSummary> {
  const caller = new Caller(bench, domain);
  const revokes: Nanos[] = [];
  const rounds: Nanos[] = [];
  let told = { cores: 0, messages: 0 };
  let planned = 0;
  for (let i = 0; i < count; i += 1) {
    const source = { address: caller.allocate(PAGE) };
    for (const [core, to] of peers) yield* caller.call({ name: 'send', args: [{ source, core, domain: to }] });
    yield* caller.rest(quiet);
    const begun = yield* timeNow();
    told = (yield* caller.call(invocation({ operation: 'revoke', target: source }))) as typeof told;
    revokes.push((yield* timeNow()) - begun);
    yield* caller.rest(quiet);
    const [report, elapsed] = yield* timedRound(bench.agreement, 'multicast', 2, NO_PAYLOAD);
    planned = report.messages;
    rounds.push(elapsed);
    yield* caller.call(invocation({ operation: 'delete', target: source }));
  }
  return { ...told, plan_messages: planned, revoke: summarise(revokes), round: summarise(rounds) };
}

/**
 * Retypes that need every core's consent: `count` one after another, then as many at once, of as many sources that have
 * a descendant on a peer's core. Nanoseconds for each.
 */
export function* measureRetypes(
  bench: Workbench,
  domain: DomainId,
  [core, to]: PeerDomain,
  count: number,
): Operation<unknown> {
  const caller = new Caller(bench, domain);
  const sources: number[] = [];
  for (let i = 0; i < count; i += 1) sources.push(yield* caller.sharedSource(core, to));
  const serial: Nanos[] = [];
  const made: number[] = [];
  for (const source of sources) {
    const begun = yield* timeNow();
    made.push(yield* caller.retype(source, 0));
    serial.push((yield* timeNow()) - begun);
  }
  const begun = yield* timeNow();
  const slots = caller.freeSlots(count);
  const results = yield* caller.allAtOnce(sources.map((source, i) => retypeCall(source, known(slots[i]), PAGE)));
  const pipelinedNs = ((yield* timeNow()) - begun) / count;
  const failed = results.find((result) => !result.ok);
  if (failed !== undefined && !failed.ok) throw new OperationError(failed.error, 'a pipelined retype failed');
  for (const address of [...made, ...slots])
    yield* caller.call(invocation({ operation: 'delete', target: { address } }));
  for (const address of sources) {
    yield* caller.call(invocation({ operation: 'revoke', target: { address } }));
    yield* caller.call(invocation({ operation: 'delete', target: { address } }));
  }
  return { count, serial: summarise(serial), pipelined_ns: pipelinedNs };
}

class Caller {
  private readonly prng: Prng;

  constructor(
    private readonly bench: Workbench,
    private readonly domain: DomainId,
  ) {
    this.prng = createPrng(`measure/${bench.context.core}/${domain}`);
  }

  *call(call: SystemCall): Operation<unknown> {
    const { context, systemCall } = this.bench;
    const result = yield* callWithRetry(systemCall, context.timers, this.domain, call, this.prng);
    if (!result.ok) throw new OperationError(result.error, `${call.name} failed while measuring`);
    return result.value;
  }

  *rest(quiet: Nanos): Operation<void> {
    if (quiet === 0) return;
    const now = yield* timeNow();
    yield* wait(sleepUntil(this.bench.context.timers, now + quiet));
  }

  allocate(bytes: number): number {
    const { state } = this.bench.cpuDriver;
    const [address] = this.freeSlots(1);
    const slot = resolveSlot(state, this.root, { address: known(address) });
    if (!slot.ok || !createRam(state, slot.value, bytes).ok)
      throw new OperationError('OUT_OF_MEMORY', 'nothing to measure with');
    return known(address);
  }

  /** RAM of this domain with a part in a peer's cspace, so that retyping it concerns every core. */
  *sharedSource(core: CoreId, to: number): Operation<number> {
    const source = this.allocate(4 * PAGE);
    const part = yield* this.retype(source, 3 * PAGE);
    yield* this.call({ name: 'send', args: [{ source: { address: part }, core, domain: to, giveAway: true }] });
    return source;
  }

  *retype(source: number, offset: number): Operation<number> {
    const [destination] = this.freeSlots(1);
    yield* this.call(retypeCall(source, known(destination), offset));
    return known(destination);
  }

  /** The addresses of so many empty slots. */
  freeSlots(count: number): readonly number[] {
    const { cpuDriver } = this.bench;
    const first = freeAddress(cpuDriver.state, this.root);
    const found: number[] = [];
    const from = first.ok ? first.value : 0;
    for (let address = from; found.length < count && address < from + 65_536; address += 1) {
      const slot = resolveSlot(cpuDriver.state, this.root, { address });
      if (slot.ok && slot.value.capability === null) found.push(address);
    }
    if (found.length < count) throw new OperationError('NO_FREE_SLOT', 'the cspace is too small to measure with');
    return found;
  }

  /** Starts all calls before any has ended; returns when all have. */
  *allAtOnce(calls: readonly SystemCall[]): Operation<readonly SystemCallResult[]> {
    return yield* wait<readonly SystemCallResult[]>({
      arm: (resume, now) => {
        const results: SystemCallResult[] = [];
        let left = calls.length;
        calls.forEach((call, i) =>
          this.bench.systemCall(this.domain, call, now, (result, at) => {
            results[i] = result;
            if ((left -= 1) === 0) resume(results, at);
          }),
        );
        return () => undefined;
      },
    });
  }

  private get root() {
    const domain = this.bench.cpuDriver.domains.get(this.domain);
    if (domain === undefined) throw new OperationError('NO_SUCH_DOMAIN', `there is no domain ${this.domain} here`);
    return domain.root;
  }
}

function invocation(given: Readonly<Record<string, unknown>>): SystemCall {
  return { name: 'invoke', args: [given] };
}

function retypeCall(source: number, destination: number, offset: number): SystemCall {
  return invocation({
    operation: 'retype',
    source: { address: source },
    destination: { address: destination },
    type: 'Frame',
    offset,
    objectSize: PAGE,
    count: 1,
  });
}
