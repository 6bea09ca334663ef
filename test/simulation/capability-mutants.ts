import type { CoreId } from '@mk/monitor-proto/ids';
import { withRights } from '@mk/node-kernel/capability/model/capability';
import { lookup } from '@mk/node-kernel/capability/store/cspace';
import type { LocalCapabilities } from '@mk/node-kernel/capability/store/local-capabilities';
import type { CopyGroup, Slot } from '@mk/node-kernel/capability/store/slot';
import { typeRow } from '@mk/node-kernel/capability/model/types';
import type { Kernel } from '@mk/node-kernel/kernel';
import { type Act, PHASES, ROUND_ACTIONS, type RoundActionName } from '@mk/node-kernel/monitor/agreement/round-actions';
import type { AnyMachine } from '@mk/sim/engine/sim-node';

/** A bug planted in each kernel as it boots. */
export interface Mutant {
  readonly name: string;
  /** The race or hazard that the broken code guards against. */
  readonly about: string;
  /** The script under test/datadriven that shows it; absent: churn shows it. */
  readonly script?: string;
  plant(kernel: Kernel): void;
}

/** The internals that mutants access. */
interface Inside {
  run(kind: string, ...rest: unknown[]): unknown;
  begin(kind: string, ...rest: unknown[]): unknown;
  askOwner(slot: Slot, ...rest: unknown[]): unknown;
}
interface InsideRevokes {
  runLocked(op: string, slot: Slot, group: CopyGroup): unknown;
  freeze(part: { readonly target: never }): void;
  keep(candidate: never): boolean;
  abort(op: string, answer: (refusal: null) => void): void;
}

const capopsOf = (kernel: Kernel) => kernel.services.capops;
const insideOf = (kernel: Kernel): Inside => capopsOf(kernel).shared as unknown as Inside;
const revokesOf = (kernel: Kernel): InsideRevokes => capopsOf(kernel).revokes as unknown as InsideRevokes;

/** Replaces a method of an object. */
function replace<O extends object, K extends keyof O>(target: O, name: K, make: (original: O[K]) => O[K]): void {
  const original = (target[name] as unknown as (...args: unknown[]) => unknown).bind(target) as unknown as O[K];
  Object.defineProperty(target, name, { value: make(original), writable: true, configurable: true });
}

/** Runs once the core has its capabilities. */
function whenBooted(kernel: Kernel, then: (state: LocalCapabilities) => void): void {
  replace(kernel.cpuDriver, 'boot', (boot) => (core: CoreId, bytes: number) => {
    boot(core, bytes);
    then(kernel.cpuDriver.state);
  });
}

/** When an operation of these kinds starts, nothing seems to be in flight. */
function blindToTransits(kernel: Kernel, kinds: readonly string[]): void {
  const { transits } = capopsOf(kernel).shared;
  const has = transits.has.bind(transits);
  replace(insideOf(kernel), 'begin', (begin) => (kind, ...rest) => {
    if (!kinds.includes(kind)) return begin(kind, ...rest);
    transits.has = () => false;
    const op = begin(kind, ...rest);
    transits.has = has;
    return op;
  });
}

/** The action consents in one of its phases without doing anything. */
function doesNothing(kernel: Kernel, action: RoundActionName, phase: number): void {
  const acts = kernel.table.acts as (Act | undefined)[];
  const { ordinal } = ROUND_ACTIONS[action];
  const act = acts[ordinal];
  if (act === undefined) throw new Error(`nobody brings ${action}`);
  acts[ordinal] = (op, at, payload, now, vote) => (at === phase ? vote(null, now) : act(op, at, payload, now, vote));
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'ready-with-copies-in-flight',
    about: 'a revoke does not wait for the copies that its holders have sent',
    plant(kernel) {
      capopsOf(kernel).shared.transits.has = () => false;
    },
  },
  {
    name: 'arrivals-under-a-mark-are-taken',
    about: 'a core takes what a mark covers',
    plant: (kernel) =>
      whenBooted(kernel, (state) =>
        Object.defineProperty(state.revokes, Symbol.iterator, { value: () => [][Symbol.iterator]() }),
      ),
  },
  {
    name: 'ownership-overtakes-copies',
    about: 'ownership changes while a copy is in flight',
    script: 'capabilities-02-owner-changes-while-a-copy-is-in-flight.txt',
    plant: (kernel) => blindToTransits(kernel, ['yield_ownership', 'delete', 'delete_queued', 'send']),
  },
  {
    name: 'owner-unlocks-before-create',
    about: 'the owner does not wait until the requester has created',
    script: 'capabilities-03-foreign-retype-locks-until-created.txt',
    plant(kernel) {
      const { exchange } = capopsOf(kernel).shared;
      exchange.await = function* () {
        return { type: 'cap_retype_created', op: '', created: true } as never;
      };
    },
  },
  {
    name: 'revoke-does-not-lock',
    about: 'the target can be copied while it is revoked',
    plant: (kernel) =>
      replace(revokesOf(kernel), 'runLocked', (runLocked) => (op, slot, group) => {
        group.locked = false;
        return runLocked(op, slot, group);
      }),
  },
  {
    name: 'mark-ignores-locks',
    about: 'a mark goes past a locked descendant',
    script: 'capabilities-05-mark-meets-a-locked-descendant.txt',
    plant: (kernel) =>
      replace(revokesOf(kernel), 'freeze', (freeze) => (part) => {
        const { database } = kernel.cpuDriver.state;
        const locked = database.descendantsOf(part.target).filter((group) => group.locked);
        for (const group of locked) group.locked = false;
        freeze(part);
        for (const group of locked) group.locked = true;
      }),
  },
  {
    name: 'failed-retrieve-keeps-ownership',
    about: 'a requester is the owner before the old one agrees',
    plant: (kernel) =>
      replace(insideOf(kernel), 'askOwner', (askOwner) => (slot, ...rest) => {
        const { group } = slot;
        if (group?.locked) group.owner = kernel.cpuDriver.state.core;
        return askOwner(slot, ...rest);
      }),
  },
  {
    name: 'give-away-forgets-remote-copies',
    about: 'the last local copy is given away as if there were none elsewhere',
    plant: (kernel) =>
      replace(insideOf(kernel), 'run', (run) => (kind, capability, ...rest) => {
        const group = kernel.cpuDriver.state.database.find(capability as never);
        if (kind === 'send' && group !== undefined && group.owner === kernel.cpuDriver.state.core)
          group.relations &= ~1;
        return run(kind, capability, ...rest);
      }),
  },
  {
    name: 'nobody-never-answers',
    about: 'a multicast to nobody never completes',
    plant: (kernel) =>
      replace(kernel.services.agreement.rounds, 'begin', (begin) => (phase, now, finish) => {
        if (phase.plan.routes.length > 0) begin(phase, now, finish);
      }),
  },
  {
    name: 'one-type-edge',
    about: 'a revoke reaches children and no grandchildren',
    script: 'capabilities-09-descendants-of-any-depth.txt',
    plant: (kernel) =>
      whenBooted(kernel, ({ database }) =>
        replace(
          database,
          'descendantsOf',
          (descendantsOf) => (capability) =>
            descendantsOf(capability).filter(
              (below) =>
                below.capability.type === capability.type ||
                typeRow(below.capability.type).parents.includes(capability.type),
            ),
        ),
      ),
  },
  {
    name: 'commit-without-all-ready',
    about: 'revoke: deletion before the last ready',
    script: 'capabilities-05-mark-gives-up-on-a-lock.txt',
    plant: (kernel) =>
      replace(
        kernel.services.agreement.rounds,
        'begin',
        (begin) => (spec, now, finish) =>
          begin(spec, now, (result, at) =>
            finish(
              spec.phase === PHASES.prepare && spec.action === 'revoke' ? { ...result, refusals: [] } : result,
              at,
            ),
          ),
      ),
  },
  {
    name: 'retype-asks-nobody',
    about: 'retype ∥ retype; the range check of the other cores always consents',
    plant: (kernel) => doesNothing(kernel, 'check_retype', PHASES.prepare),
  },
  {
    name: 'find-finds-nobody',
    about: 'delete ∥ copy; the last owned copy goes although others hold one',
    plant: (kernel) => doesNothing(kernel, 'find_copy', PHASES.commit),
  },
  {
    name: 'foreign-copies-stay',
    about: 'delete of what cannot move leaves the foreign copies',
    plant: (kernel) => doesNothing(kernel, 'delete_remote', PHASES.commit),
  },
  {
    name: 'owner-change-untold',
    about: 'move and retrieve: the other holders are not told',
    plant: (kernel) => doesNothing(kernel, 'update_owner', PHASES.commit),
  },
  {
    name: 'home-frees-unasked',
    about: 'reclaim: what other cores cover is not brought back',
    plant: (kernel) => doesNothing(kernel, 'reclaim', PHASES.commit),
  },
  {
    name: 'old-news-of-owners',
    about: 'the old owner believes a late consent rather than the news that came before (sim-churn seed 1012)',
    script: 'capabilities-02-owner-changes-before-the-old-one-hears.txt',
    plant: (kernel) =>
      whenBooted(kernel, (state) =>
        replace(state, 'isForeign', (isForeign) => (group) => isForeign(group) && !group.locked),
      ),
  },
  {
    name: 'reclaim-before-done',
    about: 'revoke: memory goes home while other cores still hold frozen copies of it (sim-churn seed 226)',
    script: 'capabilities-07-revoke-of-what-lies-in-its-own-memory.txt',
    plant: (kernel) => replace(revokesOf(kernel), 'keep', () => () => false),
  },
  {
    name: 'abort-does-not-thaw',
    about: 'C7: what an aborted revoke froze stays frozen',
    plant: (kernel) => replace(revokesOf(kernel), 'abort', () => (_op, answer) => answer(null)),
  },
  {
    name: 'rights-are-not-checked',
    about: 'C6: a caller gets through without the right',
    plant: (kernel) =>
      replace(kernel, 'systemCall', (systemCall) => (id, call, now, done) => {
        const domain = kernel.cpuDriver.domains.get(id);
        const source = (call.args[0] as { source?: { address: number } } | undefined)?.source;
        const slot = domain && source ? lookup(kernel.cpuDriver.state, domain.root, source) : undefined;
        if (slot?.ok)
          (slot.value as { capability: unknown }).capability = withRights(
            slot.value.capability,
            typeRow(slot.value.capability.type).rights,
          );
        systemCall(id, call, now, done);
      }),
  },
];

/** Plants a mutant in every core of a simulation. */
export function planted(mutant: Mutant): (machine: AnyMachine) => AnyMachine {
  return (machine) => {
    if ('cpuDriver' in machine) mutant.plant(machine as unknown as Kernel);
    return machine;
  };
}
