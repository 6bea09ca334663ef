import type { SystemCall } from '../effects.ts';

/** What a system call came to: a value, or a named error. */
export type SystemCallResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string };

/**
 * The part of the kernel that is local to its core: protection, scheduling, capabilities, same-core calls. It sends no
 * message and knows no other core; what needs one is answered RETRY_THROUGH_MONITOR, and the monitor does it (paper §4.3).
 */
export class CpuDriver {
  private readonly calls: Readonly<Record<string, (call: SystemCall) => SystemCallResult>> = {
    nop: () => ({ ok: true, value: null }),
  };

  /** Performs a system call of a domain. Bounded work; an unknown call is refused and changes nothing. */
  systemCall(_domain: number, call: SystemCall): SystemCallResult {
    const perform = Object.hasOwn(this.calls, call.name) ? this.calls[call.name] : undefined;
    return perform === undefined ? { ok: false, error: 'BAD_SYSTEM_CALL' } : perform(call);
  }
}
