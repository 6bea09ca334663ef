import type { CoreId } from '@mk/monitor-proto/ids';
import { encodeCapability } from '../capability/model/capability-codec.ts';
import type { ChangeNotes } from '../capability/model/changes.ts';
import { bootCapabilities, type LocalCapabilities } from '../capability/store/local-capabilities.ts';
import { invoke } from '../capability/invocations/perform.ts';
import type { Invocation } from '../capability/invocations/decode.ts';
import { type Domain, Domains } from './domains.ts';
import type { ArgumentsOf, CheckedCall, LocalCall, SystemCallResult } from './system-calls.ts';

/** The CPU driver's answer when other cores are concerned: a service must carry on. */
export const ACROSS_CORES = 'across_cores';

type LocalHandlers = {
  readonly [C in LocalCall]: (
    caller: Domain | undefined,
    args: ArgumentsOf<C>,
  ) => SystemCallResult | typeof ACROSS_CORES;
};
type AnyLocalHandler = (
  caller: Domain | undefined,
  args: CheckedCall['args'],
) => SystemCallResult | typeof ACROSS_CORES;

/**
 * The part of the kernel that is local to its core: protection, scheduling, capabilities, same-core calls. It sends no
 * message and knows no other core (Baumann et al., SOSP 2009, §4.3). Dispatchers, the scheduler and local endpoints
 * have folders of their own here.
 */
export class CpuDriver {
  readonly domains = new Domains();
  private capabilities: LocalCapabilities | null = null;

  private readonly calls: LocalHandlers = {
    nop: () => ({ ok: true, value: null }),
    invoke: (caller, { invocation }) => this.invoke(caller, invocation),
  };

  /** `changes` hears of all capability changes; its creator drains it. */
  constructor(private readonly changes: ChangeNotes) {}

  /**
   * Creates the capabilities once the core has its number: its memory is its share of one physical address space, in
   * order of core ids.
   */
  boot(core: CoreId, ramBytes: number): void {
    this.capabilities ??= bootCapabilities({
      core,
      memory: { address: core * ramBytes, size: ramBytes },
      homeOf: (address) => Math.floor(address / ramBytes),
      changes: this.changes,
    });
  }

  get booted(): boolean {
    return this.capabilities !== null;
  }

  /** The capabilities of a core that has its number; throws before that. */
  get state(): LocalCapabilities {
    if (this.capabilities === null) throw new Error('capabilities before the core was registered');
    return this.capabilities;
  }

  /** Whether capabilities changed in ways that the services have not heard of yet. */
  get changed(): boolean {
    return this.changes.pending;
  }

  /** Serves a checked call whose row says `cpuDriver`. Bounded work. */
  serve(caller: Domain | undefined, call: CheckedCall): SystemCallResult | typeof ACROSS_CORES {
    return (this.calls[call.name as LocalCall] as AnyLocalHandler)(caller, call.args);
  }

  private invoke(caller: Domain | undefined, invocation: Invocation): SystemCallResult | typeof ACROSS_CORES {
    if (caller === undefined || this.capabilities === null) return { ok: false, error: 'NO_CSPACE' };
    const done = invoke(this.capabilities, caller.root, invocation);
    if (!done.ok) return done.error === 'RETRY_THROUGH_MONITOR' ? ACROSS_CORES : { ok: false, error: done.error };
    const identity = done.value;
    const value = identity && { capability: encodeCapability(identity.capability), owner: identity.owner };
    return { ok: true, value };
  }
}
