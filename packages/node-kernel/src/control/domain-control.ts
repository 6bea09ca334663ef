import type { CapabilityRow, CoreAnswers } from './verb-answers.ts';
import type { CoreSnapshot } from '../capability/audit/audit-snapshot.ts';
import type { DomainId } from '@mk/monitor-proto/ids';
import { createPrng } from '@mk/monitor-proto/prng';
import { describeCapability } from '../capability/model/capability.ts';
import { freeAddress, resolveSlot } from '../capability/store/cspace.ts';
import { createRam } from '../capability/global/monitor-primitives.ts';
import { RIGHTS } from '../capability/model/rights.ts';
import { isInDelete } from '../capability/store/slot.ts';
import { CAPABILITY_TYPE_NAMES } from '../capability/model/types.ts';
import type { CpuDriver } from '../cpu-driver/cpu-driver.ts';
import type { Domain } from '../cpu-driver/domains.ts';
import type { SystemCall } from '../effects.ts';
import type { MonitorContext } from '../monitor/context.ts';
import { type Operation, OperationError } from '../monitor/operations.ts';
import type { Service, Verbs } from '../monitor/service.ts';
import { callWithRetry, type SystemCallPort } from '../workloads/caller.ts';

const DOMAIN = { min: 1, max: 2 ** 31 } as const;
const ADDRESS = { min: 0, max: 2 ** 32 - 1 } as const;
const BYTES = { min: 0, max: 2 ** 46 } as const;
const CORE = { min: 0, max: 65_535 } as const;

/** Capability operations between cores, as this service uses them. */
interface CapopsPort {
  snapshot(): CoreSnapshot;
  readonly busy: boolean;
}

/**
 * Domains and their capabilities over the control port: inspects them, and acts for a domain through its own system
 * calls.
 */
export class DomainControl implements Service {
  constructor(
    private readonly context: MonitorContext,
    private readonly cpuDriver: CpuDriver,
    private readonly capops: CapopsPort,
    private readonly systemCall: SystemCallPort,
  ) {}

  readonly verbs: Verbs = {
    caps: {
      args: [],
      withoutLease: true,
      doc: 'Every capability on this core, one row per slot.',
      run: () => this.listCapabilities(),
    },
    audit_snapshot: {
      withoutLease: true,
      args: [],
      doc: 'The capabilities and memory of this core, for an audit of all cores.',
      run: () => {
        this.failUnlessBooted();
        return { ...this.capops.snapshot(), busy: this.capops.busy };
      },
    },
    domain_create: {
      args: ['cnodes', 'memory'],
      doc: 'Creates a domain with a cspace of this many CNodes of 256 slots, and this much RAM (bytes) at address 1.',
      run: (args) => {
        const { cpuDriver } = this.failUnlessBooted();
        const domain = cpuDriver.domains.create(
          cpuDriver.state,
          args.whole('cnodes', { min: 1, max: 64, otherwise: 2 }),
          args.whole('memory', { ...BYTES, otherwise: 0 }),
        );
        if (domain === null) throw new OperationError('OUT_OF_MEMORY', 'no memory, or too many domains');
        this.context.outbox.log('domain_created', { domain: domain.id });
        return { domain: domain.id };
      },
    },
    cspace: {
      withoutLease: true,
      args: ['domain'],
      doc: 'The capabilities of a domain, by address.',
      run: (args) => {
        const { cpuDriver } = this.failUnlessBooted();
        const domain = this.domain(args.whole('domain', DOMAIN));
        return [...cpuDriver.domains.slotsOf(cpuDriver.state, domain)].map(({ address, slot }) => ({
          address,
          capability: describeCapability(slot.capability),
          owner: slot.group.owner,
        }));
      },
    },
    cap_alloc: {
      args: ['domain', 'bytes'],
      doc: 'Gives a domain RAM of this core, as a memory server would; answers its address.',
      run: (args) => {
        const { cpuDriver } = this.failUnlessBooted();
        const { root } = this.domain(args.whole('domain', DOMAIN));
        const address = freeAddress(cpuDriver.state, root);
        const slot = address.ok
          ? resolveSlot(cpuDriver.state, root, { address: address.value }, RIGHTS.read | RIGHTS.write)
          : address;
        const made = slot.ok ? createRam(cpuDriver.state, slot.value, args.whole('bytes', { ...BYTES, min: 1 })) : slot;
        if (!made.ok) throw new OperationError(made.error, 'no memory or no slot');
        return { address: address.ok ? address.value : 0 };
      },
    },
    cap_retype: {
      args: ['domain', 'source', 'destination', 'kind', 'offset', 'size', 'count', 'endpoint'],
      doc: 'Retypes for a domain; without a destination into free slots. endpoint: the number of an EndPointLMP.',
      run: (args) => {
        const domain = args.whole('domain', DOMAIN);
        const free = freeAddress(this.failUnlessBooted().cpuDriver.state, this.domain(domain).root);
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
        return this.actFor(domain, { name: 'invoke', args: [invocation] }, { address: destination });
      },
    },
    cap_send: {
      args: ['domain', 'source', 'core', 'to', 'give_away'],
      doc: 'Sends a copy to a domain of another core, or gives the domain’s own away; answers its address there.',
      run: (args) => {
        const call = {
          source: { address: args.whole('source', ADDRESS) },
          core: args.whole('core', CORE),
          domain: args.whole('to', DOMAIN),
          giveAway: args.whole('give_away', { min: 0, max: 1, otherwise: 0 }) === 1,
        };
        return this.actFor(args.whole('domain', DOMAIN), { name: 'send', args: [call] }, null);
      },
    },
    cap_revoke: {
      args: ['domain', 'target'],
      doc: 'Revokes for a domain; answers how many cores took part and the messages.',
      run: (args) => this.actFor(args.whole('domain', DOMAIN), onTarget('revoke', args.whole('target', ADDRESS)), null),
    },
    cap_delete: {
      args: ['domain', 'target'],
      doc: 'A domain deletes.',
      run: (args) => this.actFor(args.whole('domain', DOMAIN), onTarget('delete', args.whole('target', ADDRESS)), null),
    },
    cap_retrieve: {
      args: ['domain', 'target'],
      doc: 'Makes the domain’s core the owner.',
      run: (args) =>
        this.actFor(
          args.whole('domain', DOMAIN),
          { name: 'retrieve', args: [{ address: args.whole('target', ADDRESS) }] },
          null,
        ),
    },
    cap_call: {
      args: ['domain', 'call'],
      doc: 'Makes any system call for a domain: call is {name, args}, as a program passes them; answers with the call’s result.',
      run: (args) => {
        const { name, args: passed } = args.object('call');
        if (typeof name !== 'string' || !Array.isArray(passed))
          throw new OperationError('BAD_REQUEST', 'cap_call: call must be {name, args}');
        return this.actFor(args.whole('domain', DOMAIN), { name, args: passed }, null);
      },
    },
  };

  private failUnlessBooted(): this {
    if (!this.cpuDriver.booted) throw new OperationError('NOT_A_MEMBER', 'this core has not been registered yet');
    return this;
  }

  private domain(id: number): Domain {
    const domain = this.failUnlessBooted().cpuDriver.domains.get(id);
    if (domain === undefined)
      throw new OperationError('NO_SUCH_DOMAIN', `no domain ${id} on core ${this.context.core}`);
    return domain;
  }

  private listCapabilities(): CoreAnswers['caps'] {
    const rows: CapabilityRow[] = [];
    for (const group of this.failUnlessBooted().cpuDriver.state.database.groups()) {
      for (const slot of group.slots) {
        const { owner, locked, relations } = group;
        rows.push({
          slot: slot.address,
          capability: describeCapability(slot.capability),
          rights: slot.capability.rights,
          owner,
          locked,
          in_delete: isInDelete(slot),
          relations,
        });
      }
    }
    return rows;
  }

  /** Makes a domain's own system call, with the retries of its library. */
  private *actFor(domain: DomainId, call: SystemCall, answer: unknown): Operation<unknown> {
    this.domain(domain);
    const { core, timers } = this.context;
    const result = yield* callWithRetry(this.systemCall, timers, domain, call, createPrng(`caller/${core}/${domain}`));
    if (!result.ok) throw new OperationError(result.error, result.text ?? `${call.name} of domain ${domain} failed`);
    return answer ?? result.value;
  }
}

function onTarget(operation: string, address: number): SystemCall {
  return { name: 'invoke', args: [{ operation, target: { address } }] };
}
