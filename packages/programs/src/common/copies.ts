import type { Mk } from '@mk/libmk/program/mk';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import type { Process } from '@mk/libmk/processes/processes';
import type { Cancellation, CancelSignal } from '@mk/libmk/runtime/cancellation';
import { known } from './known.ts';
import { isByFault, isFault, type Loss } from './losses.ts';

/**
 * Copies of this very program, one on each of these cores. A copy that a fault takes, or that says itself that it lost
 * something it needed, is a loss; one that ends badly otherwise is a failure.
 */
export class Copies {
  readonly losses: Loss[] = [];
  private readonly firstLoss: Cancellation;
  private readonly goneByCore: ReadonlyMap<number, Cancellation>;
  private readonly processes: Process[] = [];
  private readonly ends: Promise<void>[] = [];
  private stopped = false;

  private constructor(mk: Mk, cores: readonly number[]) {
    this.firstLoss = mk.cancellation();
    this.goneByCore = new Map(cores.map((core) => [core, mk.cancellation()]));
  }

  /** Starts them in a role; the index of their core comes after the run's domain in their arguments. */
  static async begin(mk: Mk, role: string, cores: readonly number[], ...args: readonly string[]): Promise<Copies> {
    const copies = new Copies(mk, cores);
    await Promise.all(
      cores.map((core, index) => copies.start(mk, core, [role, mk.self.domain, String(index), ...args])),
    );
    return copies;
  }

  /** Aborts with what became of the copy there when that is lost. */
  gone(core: number): CancelSignal {
    return known(this.goneByCore.get(core)).signal;
  }

  /** Aborts with the first loss. */
  get anyGone(): CancelSignal {
    return this.firstLoss.signal;
  }

  /** Waits until all have ended; throws the first failure. */
  async end(): Promise<void> {
    for (const end of this.ends) await end;
  }

  /** Ends all that still run, and waits until they have. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const process of this.processes)
      await process.kill().catch((error: unknown) => {
        if (!isByFault(error)) throw error;
      });
    await this.end();
  }

  private async start(mk: Mk, core: number, args: readonly string[]): Promise<void> {
    try {
      const process = await mk.processes.spawn(null, { core, args });
      this.processes.push(process);
      const end = this.watch(mk, core, process);
      end.catch(() => undefined); // whoever waits for the end is told
      this.ends.push(end);
    } catch (error) {
      if (!isByFault(error)) throw error;
      this.lost(mk, core, error.message);
    }
  }

  private async watch(mk: Mk, core: number, process: Process): Promise<void> {
    const { cause, status, text } = await process.wait().catch((error: unknown) => {
      if (!isByFault(error)) throw error;
      return { cause: error.name, status: EXIT_STATUS.failed, text: error.message };
    });
    if (cause === 'exited' && status === EXIT_STATUS.done) return;
    if (this.stopped && (cause === 'KILLED' || cause === 'exited')) return;
    if (cause === 'exited' && status === EXIT_STATUS.lost)
      return this.lost(mk, core, `${process.domain} has lost what it needed`);
    if (isFault(cause)) return this.lost(mk, core, `${cause}: ${text}`);
    throw mk.error(cause === 'exited' ? 'KILLED' : cause, `${process.domain} ended with ${cause} ${status} ${text}`);
  }

  private lost(mk: Mk, core: number, why: string): void {
    this.losses.push({ core, why });
    const error = mk.error('PEER_GONE', `core ${core} is lost: ${why}`);
    known(this.goneByCore.get(core)).cancel(error);
    this.firstLoss.cancel(error);
  }
}
