import type { ErrorName } from '@mk/monitor-proto/errors';
import { encodeCapability } from '../capability/model/capability-codec.ts';
import type { Outcome } from '../capability/model/changes.ts';
import { errorNameOf } from '../capability/model/errors.ts';
import { bootCapabilities, type LocalCapabilities } from '../capability/store/local-capabilities.ts';
import { invoke } from '../capability/invocations/perform.ts';
import type { SystemCall } from '../effects.ts';
import { Domains } from './domains.ts';
import { checkInvocation } from './invocation-check.ts';

/** What a system call came to: a value, or a named error. */
export type SystemCallResult =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ErrorName };

type Call = (domain: number, call: SystemCall) => SystemCallResult;

/**
 * The part of the kernel that is local to its core: protection, scheduling, capabilities, same-core calls. It sends no
 * message and knows no other core; what needs one is answered RETRY_THROUGH_MONITOR, and the monitor does it (paper §4.3).
 */
export class CpuDriver {
  readonly domains = new Domains();
  private capabilities: LocalCapabilities | null = null;
  /** Told what each invocation changed: what hangs on capabilities follows. */
  onOutcome: (outcome: Outcome) => void = () => undefined;

  private readonly calls: Readonly<Record<string, Call>> = {
    nop: () => ({ ok: true, value: null }),
    invoke: (domain, { args }) => this.invoke(domain, args[0]),
    send: () => ({ ok: false, error: 'RETRY_THROUGH_MONITOR' }),
    retrieve: () => ({ ok: false, error: 'RETRY_THROUGH_MONITOR' }),
    subscribe_revoke: () => ({ ok: false, error: 'RETRY_THROUGH_MONITOR' }),
    unsubscribe_revoke: () => ({ ok: false, error: 'RETRY_THROUGH_MONITOR' }),
    revokes_asked: () => ({ ok: false, error: 'RETRY_THROUGH_MONITOR' }),
    consent_revoke: () => ({ ok: false, error: 'RETRY_THROUGH_MONITOR' }),
  };

  /** The core has its number: its memory is its share of one physical address space, in order of core ids. */
  boot(core: number, ramBytes: number): void {
    this.capabilities ??= bootCapabilities({
      core,
      memory: { address: core * ramBytes, size: ramBytes },
      homeOf: (address) => Math.floor(address / ramBytes),
    });
  }

  get booted(): boolean {
    return this.capabilities !== null;
  }

  /** The capabilities of a core that has its number. */
  get state(): LocalCapabilities {
    if (this.capabilities === null) throw new Error('capabilities before the core was registered');
    return this.capabilities;
  }

  /** Performs a system call of a domain. Bounded work; an unknown call is refused and changes nothing. */
  systemCall(domain: number, call: SystemCall): SystemCallResult {
    const perform = Object.hasOwn(this.calls, call.name) ? this.calls[call.name] : undefined;
    return perform === undefined ? { ok: false, error: 'BAD_SYSTEM_CALL' } : perform(domain, call);
  }

  private invoke(id: number, given: unknown): SystemCallResult {
    const domain = this.domains.get(id);
    if (domain === undefined || this.capabilities === null) return { ok: false, error: 'NO_CSPACE' };
    const invocation = checkInvocation(given);
    if (invocation === null) return { ok: false, error: 'BAD_SYSTEM_CALL' };
    const done = invoke(this.capabilities, domain.root, invocation);
    if (!done.ok) return { ok: false, error: errorNameOf(done.error) };
    const { outcome, identity } = done.value;
    this.onOutcome(outcome);
    return {
      ok: true,
      value: identity ? { capability: encodeCapability(identity.capability), owner: identity.owner } : null,
    };
  }
}
