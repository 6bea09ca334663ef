import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { isByFault } from './losses.ts';

/** Between attempts while the parent's core cannot be asked. */
const PAUSE_NS = 1e9;

/**
 * Ends this program, as lost, once the domain that began it has ended or its core is gone: what a part of a program waits
 * for would never come.
 */
export function endWithParent(mk: Mk, parent: string): void {
  const watch = async (): Promise<void> => {
    const why = await endOf(mk, parent);
    mk.console.error(`${mk.self.program}: ${mk.self.domain} ends: ${parent}, which began it, ${why}`);
    await mk.exit(EXIT_STATUS.lost);
  };
  mk.threads.spawn(`the end of ${parent}`, watch).detach();
}

async function endOf(mk: Mk, domain: string): Promise<string> {
  for (;;) {
    try {
      const { cause, text } = await mk.processes.named(domain).wait();
      return cause === 'exited' ? 'has ended' : `has ended: ${cause}: ${text}`;
    } catch (error) {
      if (isMkError(error, 'NO_SUCH_DOMAIN')) return 'is not known any more';
      if (!isByFault(error)) throw error;
    }
    await mk.sleep(PAUSE_NS);
  }
}
