import type { Mk } from '@mk/libmk/program/mk';
import type { Process } from '@mk/libmk/processes/processes';

/** Starts this very program in a role on each of these cores. */
export function copiesOf(
  mk: Mk,
  role: string,
  cores: readonly number[],
  ...args: readonly string[]
): Promise<Process[]> {
  const names = cores.map((core, index) => ({ core, args: [role, mk.self.domain, String(index), ...args] }));
  return Promise.all(names.map((options) => mk.processes.spawn(null, options)));
}

/** Waits for copies; throws the text of the first bad end. */
export async function endOf(mk: Mk, copies: readonly Process[]): Promise<void> {
  for (const copy of copies) {
    const { cause, status, text } = await copy.wait();
    if (cause !== 'exited' || status !== 0)
      throw mk.error(cause === 'exited' ? 'KILLED' : cause, `${copy.domain} ended with ${cause} ${status} ${text}`);
  }
}
