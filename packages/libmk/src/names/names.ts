import type { CoreId } from '@mk/monitor-proto/ids';
import { recipeName } from '@mk/monitor-proto/octopus/names';
import type { Octopus } from '../octopus/octopus.ts';
import { isMkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { timeLeft, type WaitOptions } from '../runtime/waiting.ts';

/** Where a name is offered. */
export interface OfferedAt {
  readonly core: CoreId;
}

/** `mk.names`: who offers what. `mk.export` offers a name, `mk.bind` waits for one; this inspects them. */
export class NameService {
  constructor(
    private readonly runtime: Runtime,
    private readonly octopus: Octopus,
  ) {}

  /**
   * Waits until somebody offers the name.
   *
   * @example
   * const { core } = await mk.names.wait('kv', { timeoutNs: 5e9 });
   */
  async wait(name: string, options: WaitOptions = {}): Promise<OfferedAt> {
    // The core must give up with the caller: otherwise a wait that the caller has forgotten would stay there until the
    // caller ends.
    const timeout = timeLeft(this.runtime, options);
    const asked = timeout === undefined ? [name, true] : [name, true, timeout];
    return this.runtime.calls.ask('channel_look_up', asked, options);
  }

  /** Where the name is offered now; null: nowhere. */
  async lookUp(name: string, options: WaitOptions = {}): Promise<OfferedAt | null> {
    try {
      return await this.runtime.calls.ask('channel_look_up', [name, false], options);
    } catch (error) {
      if (isMkError(error, 'NO_SUCH_SERVICE')) return null;
      throw error;
    }
  }

  /** All names that programs offer to the whole machine, in natural order. */
  async list(): Promise<readonly string[]> {
    const prefix = recipeName('offer', '');
    const records = await this.octopus.getNames(`r'^${prefix}'`);
    return records.map((record) => record.slice(prefix.length));
  }
}
