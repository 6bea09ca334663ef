import { createPrng } from '@mk/monitor-proto/prng';
import { describeCapability } from '../capability/model/capability.ts';
import { decodeCapability, isMalformed } from '../capability/model/capability-codec.ts';
import { Outcome } from '../capability/model/changes.ts';
import { freeAddress, resolveSlot } from '../capability/store/cspace.ts';
import { errorNameOf } from '../capability/model/errors.ts';
import { createRam } from '../capability/global/monitor-primitives.ts';
import { RIGHTS } from '../capability/model/rights.ts';
import { isInDelete } from '../capability/store/slot.ts';
import { CAPABILITY_TYPE_NAMES } from '../capability/model/types.ts';
import type { SystemCall } from '../effects.ts';
import type { Kernel } from '../kernel.ts';
import { callWithRetry } from '../workloads/caller.ts';
import { churn } from '../workloads/churn.ts';
import { measureRetypes, measureRevokes, type PeerDomain } from '../workloads/measure.ts';
import { type Operation, OperationError } from '../monitor/operations.ts';
import type { Arguments } from './arguments.ts';
import type { Verb } from './verbs.ts';

const DOMAIN = { min: 1, max: 2 ** 31 } as const;
const ADDRESS = { min: 0, max: 2 ** 32 - 1 } as const;
const BYTES = { min: 0, max: 2 ** 46 } as const;
const COUNT = { min: 1, max: 10_000, otherwise: 10 } as const;
const QUIET_MS = { min: 0, max: 10_000, otherwise: 60 } as const;
const CORE = { min: 0, max: 65_535 } as const;

/** Capabilities over the control port: looking, and acting for a domain through its own system calls. */
export const CAPABILITY_VERBS: Readonly<Record<string, Verb>> = {
  caps: { args: [], doc: 'Every capability on this core, one row a slot.', run: listCapabilities },
  audit_snapshot: {
    args: [],
    doc: 'What this core holds, for an audit of all cores.',
    run: (kernel) => ({ ...booted(kernel).capops.snapshot(), busy: isBusy(kernel) }),
  },
  domain_create: {
    args: ['cnodes', 'memory'],
    doc: 'A domain with a cspace of so many CNodes of 256 slots, and so many bytes of RAM at address 1.',
    run(kernel, args) {
      const { cpuDriver } = booted(kernel);
      const outcome = new Outcome();
      const domain = cpuDriver.domains.create(
        cpuDriver.state,
        args.whole('cnodes', { min: 1, max: 64, otherwise: 2 }),
        args.whole('memory', { ...BYTES, otherwise: 0 }),
        outcome,
      );
      if (domain === null) throw new OperationError('OUT_OF_MEMORY', 'no memory, or too many domains');
      kernel.monitor.capops.absorb(outcome);
      kernel.outbox.log('domain_created', { domain: domain.id });
      return { domain: domain.id };
    },
  },
  cspace: {
    args: ['domain'],
    doc: 'What a domain holds, by address.',
    run(kernel, args) {
      const { cpuDriver, capops } = booted(kernel);
      const domain = capops.domainOrFail(args.whole('domain', DOMAIN));
      return [...cpuDriver.domains.slotsOf(cpuDriver.state, domain)].map(({ address, slot }) => ({
        address,
        capability: describeCapability(slot.capability!),
        owner: slot.group!.owner,
      }));
    },
  },
  cap_alloc: {
    args: ['domain', 'bytes'],
    doc: 'RAM of this core for a domain, as a memory server gives it; answers its address.',
    run(kernel, args) {
      const { cpuDriver, capops } = booted(kernel);
      const { root } = capops.domainOrFail(args.whole('domain', DOMAIN));
      const address = freeAddress(cpuDriver.state, root);
      const slot = address.ok
        ? resolveSlot(cpuDriver.state, root, { address: address.value }, RIGHTS.read | RIGHTS.write)
        : address;
      const made = slot.ok ? createRam(cpuDriver.state, slot.value, args.whole('bytes', { ...BYTES, min: 1 })) : slot;
      if (!made.ok) throw new OperationError(errorNameOf(made.error), 'no memory or no slot');
      return { address: address.ok ? address.value : 0 };
    },
  },
  cap_retype: {
    args: ['domain', 'source', 'destination', 'kind', 'offset', 'size', 'count', 'endpoint'],
    doc: 'A domain retypes; without a destination into free slots. endpoint: the number of an EndPointLMP.',
    run(kernel, args) {
      const domain = args.whole('domain', DOMAIN);
      const free = freeAddress(booted(kernel).cpuDriver.state, kernel.monitor.capops.domainOrFail(domain).root);
      const destination = args.whole('destination', { ...ADDRESS, ...(free.ok && { otherwise: free.value }) });
      const kind = args.oneOf('kind', CAPABILITY_TYPE_NAMES);
      const invocation = {
        operation: 'retype',
        source: { address: args.whole('source', ADDRESS) },
        destination: { address: destination },
        type: kind,
        offset: args.whole('offset', { ...BYTES, otherwise: 0 }),
        objectSize: args.whole('size', { ...BYTES, otherwise: 0 }),
        count: args.whole('count', { min: 1, max: 256, otherwise: 1 }),
        fields: kind === 'EndPointLMP' ? [args.whole('endpoint', { ...BYTES, otherwise: 0 })] : [],
      };
      return actFor(kernel, domain, { name: 'invoke', args: [invocation] }, { address: destination });
    },
  },
  cap_send: {
    args: ['domain', 'source', 'core', 'to', 'give_away'],
    doc: 'A domain sends a copy to a domain of another core, or gives its own away; answers its address there.',
    run(kernel, args) {
      const call = {
        source: { address: args.whole('source', ADDRESS) },
        core: args.whole('core', CORE),
        domain: args.whole('to', DOMAIN),
        giveAway: args.whole('give_away', { min: 0, max: 1, otherwise: 0 }) === 1,
      };
      return actFor(kernel, args.whole('domain', DOMAIN), { name: 'send', args: [call] }, null);
    },
  },
  cap_revoke: {
    args: ['domain', 'target'],
    doc: 'A domain revokes; answers how many cores took part and the messages.',
    run: (kernel, args) =>
      actFor(kernel, args.whole('domain', DOMAIN), onTarget('revoke', args.whole('target', ADDRESS)), null),
  },
  cap_delete: {
    args: ['domain', 'target'],
    doc: 'A domain deletes.',
    run: (kernel, args) =>
      actFor(kernel, args.whole('domain', DOMAIN), onTarget('delete', args.whole('target', ADDRESS)), null),
  },
  cap_retrieve: {
    args: ['domain', 'target'],
    doc: 'A domain makes its core the owner.',
    run: (kernel, args) =>
      actFor(
        kernel,
        args.whole('domain', DOMAIN),
        { name: 'retrieve', args: [{ address: args.whole('target', ADDRESS) }] },
        null,
      ),
  },
  cap_call: {
    args: ['domain', 'call'],
    doc: 'A domain makes any system call: call is {name, args}, as a program passes them; answers what the program is answered.',
    run(kernel, args) {
      const { name, args: passed } = args.object('call');
      if (typeof name !== 'string' || !Array.isArray(passed))
        throw new OperationError('BAD_REQUEST', 'cap_call: call must be {name, args}');
      return actFor(kernel, args.whole('domain', DOMAIN), { name, args: passed }, null);
    },
  },
  bench_revoke: {
    args: ['domain', 'peers', 'count', 'quiet_ms'],
    doc: 'Revokes with a copy at each peer, and two-phase rounds that do nothing, in turns, with a pause before each; nanoseconds.',
    run: (kernel, args) =>
      measureRevokes(
        kernel,
        args.whole('domain', DOMAIN),
        peersOf(args),
        args.whole('count', COUNT),
        args.whole('quiet_ms', QUIET_MS) * 1e6,
      ),
  },
  bench_retype: {
    args: ['domain', 'peers', 'count'],
    doc: 'Retypes that every core must consent to, one after the other and all at once; nanoseconds for each.',
    run: (kernel, args) =>
      measureRetypes(kernel, args.whole('domain', DOMAIN), peersOf(args)[0]!, args.whole('count', COUNT)),
  },
  churn: {
    args: ['domain', 'peers', 'operations', 'seconds', 'seed', 'pause_us', 'keep'],
    doc: 'Random operations of a domain with an oracle; peers is a flat list of core, domain, core, domain, …',
    run(kernel, args) {
      const peers = peersOf(args);
      const domain = booted(kernel).capops.domainOrFail(args.whole('domain', DOMAIN)).id;
      const operations = args.whole('operations', { min: 1, max: 1e9, otherwise: 1e9 });
      const forNs = 1e9 * args.whole('seconds', { min: 1, max: 86_400, otherwise: 86_400 });
      const seed = args.whole('seed', { min: 0, max: 2 ** 32 - 1, otherwise: 1 });
      const pauseNs = 1000 * args.whole('pause_us', { min: 1, max: 1_000_000, otherwise: 20 });
      return churn(
        kernel,
        { domain, peers, operations, forNs, pauseNs, keep: args.whole('keep', { min: 1, max: 10_000, otherwise: 90 }) },
        createPrng(`churn/${seed}/${kernel.monitor.context.core}/${domain}`),
      );
    },
  },
};

/** A flat list of core, domain, core, domain, … */
function peersOf(args: Arguments): readonly PeerDomain[] {
  const flat = args.cores('peers') ?? [];
  if (flat.length < 2) throw new OperationError('BAD_REQUEST', 'peers must name at least one core and domain');
  return Array.from({ length: flat.length >> 1 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!] as const);
}

function booted(kernel: Kernel): {
  readonly cpuDriver: Kernel['cpuDriver'];
  readonly capops: Kernel['monitor']['capops'];
} {
  if (!kernel.cpuDriver.booted) throw new OperationError('NOT_A_MEMBER', 'this core has not been registered yet');
  return { cpuDriver: kernel.cpuDriver, capops: kernel.monitor.capops };
}

/** Something between cores is under way here: a snapshot taken now may show a state that is none of a quiet cluster. */
function isBusy(kernel: Kernel): boolean {
  const { capops } = kernel.monitor;
  return (
    capops.transits.capabilities().length > 0 ||
    capops.revokes.parts.size > 0 ||
    !capops.reclaims.idle ||
    !kernel.cpuDriver.state.deletions.drained ||
    capops.guards.size > 0
  );
}

function listCapabilities(kernel: Kernel): unknown {
  const rows: unknown[] = [];
  for (const group of booted(kernel).cpuDriver.state.database.groups()) {
    for (const slot of group.slots) {
      const { owner, locked, relations } = group;
      rows.push({
        slot: slot.address,
        capability: describeCapability(slot.capability!),
        rights: slot.capability!.rights,
        owner,
        locked,
        in_delete: isInDelete(slot),
        relations,
      });
    }
  }
  return rows;
}

function onTarget(operation: string, address: number): SystemCall {
  return { name: 'invoke', args: [{ operation, target: { address } }] };
}

/** A domain's own system call, with the retries of its library. */
function* actFor(kernel: Kernel, domain: number, call: SystemCall, answer: unknown): Operation<unknown> {
  booted(kernel).capops.domainOrFail(domain);
  const result = yield* callWithRetry(
    kernel,
    domain,
    call,
    createPrng(`caller/${kernel.monitor.context.core}/${domain}`),
  );
  if (!result.ok) throw new OperationError(result.error, `${call.name} of domain ${domain} failed`);
  return answer ?? result.value;
}

/** A capability in wire form, for people. */
export function describeWireCapability(wire: readonly unknown[]): string {
  const capability = decodeCapability(wire);
  return isMalformed(capability) ? `malformed (${capability.malformed})` : describeCapability(capability);
}
