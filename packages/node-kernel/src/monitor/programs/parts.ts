import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Upcall } from '@mk/libmk/dispatcher/protocol';
import type { Slot } from '../../capability/store/slot.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { Dispatcher, Ending, ProgramText } from '../../cpu-driver/dispatchers/dispatcher.ts';
import type { Dispatchers } from '../../cpu-driver/dispatchers/dispatchers.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { TaskClass } from '../../cpu-driver/scheduler/task.ts';
import type { MonitorContext } from '../context.ts';
import { OperationError } from '../operations.ts';
import { programLimit } from './limits.ts';

/** The parameters of a dispatcher's part. */
export interface PartSpec {
  readonly domain: string;
  readonly home: CoreId;
  readonly program: ProgramText;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The cores on which the domain has dispatchers, its home first. */
  readonly cores: readonly CoreId[];
  readonly task: TaskClass;
}

/** A domain's part on this core. */
export interface Part {
  readonly spec: PartSpec;
  readonly cspace: Domain;
  /**
   * `made`: it has its capabilities and no dispatcher yet. `cleaning`: the dispatcher is gone; its capabilities are
   * going.
   */
  state: 'made' | 'begun' | 'cleaning';
  /** Why it ends; null while it is not ending. */
  ending: Ending | null;
  /** Upcalls that came before it had a dispatcher. */
  readonly early: Upcall[];
}

export interface PartsPort {
  /** Empties and removes the root CNode of a cspace, on every core if need be; `done` when nothing of it is left. */
  deleteCspace(root: Slot, now: Nanos, done: (now: Nanos) => void): void;
  /** What was made on this core follows in the capability system. */
  /** A dispatcher has ended, by itself or because it was stopped; services drop their state for it. */
  ending(part: Part, ending: Ending, now: Nanos): void;
  /** Nothing is left of the part (P7). */
  stopped(part: Part, ending: Ending, now: Nanos): void;
}

/**
 * The parts of domains on this core: a cspace each, and a dispatcher once it has started.
 *
 *   P7  a part has stopped when its dispatcher is gone and then its cspace has been deleted.
 */
export class Parts {
  private readonly byDomain = new Map<string, Part>();
  private readonly byCspace = new Map<number, Part>();

  constructor(
    private readonly context: MonitorContext,
    private readonly cpuDriver: CpuDriver,
    private readonly dispatchers: Dispatchers,
    private readonly chance: string,
    private readonly port: PartsPort,
  ) {}

  of(domain: string): Part | undefined {
    return this.byDomain.get(domain);
  }

  ofCspace(id: number): Part | undefined {
    return this.byCspace.get(id);
  }

  all(): readonly Part[] {
    return [...this.byDomain.values()];
  }

  /** Creates a cspace and reserves time; throws OperationError and leaves nothing behind. */
  make(spec: PartSpec): Part {
    if (!this.cpuDriver.booted) throw new OperationError('NOT_A_MEMBER', 'this core has not been registered yet');
    if (this.byDomain.has(spec.domain))
      throw new OperationError('ALREADY_SPANNED', `${spec.domain} has a dispatcher on core ${this.context.core}`);
    if (this.byDomain.size >= programLimit('partsPerCore'))
      throw new OperationError(
        'TOO_MANY_DOMAINS',
        `core ${this.context.core} has ${this.byDomain.size} dispatchers, as many as it may: wait for some, or kill them`,
      );
    const refusal = this.dispatchers.admit(spec.task);
    if (refusal !== null) throw new OperationError('NOT_SCHEDULABLE', `core ${this.context.core}: ${refusal}`);
    const { domains, state } = this.cpuDriver;
    const cspace = domains.create(state, programLimit('cnodes'), 0);
    if (cspace === null) {
      this.dispatchers.renounce(spec.task);
      throw new OperationError('OUT_OF_MEMORY', `core ${this.context.core} has no memory or no number for a domain`);
    }
    const part: Part = { spec, cspace, state: 'made', ending: null, early: [] };
    this.byDomain.set(spec.domain, part);
    this.byCspace.set(cspace.id, part);
    return part;
  }

  /** Starts the part's dispatcher. */
  begin(part: Part, capabilities: readonly number[], now: Nanos): void {
    const { core, incarnation } = this.context;
    const { domain, home, program, args, environment, cores, task } = part.spec;
    const first: Upcall = {
      type: 'run',
      domain,
      core,
      dispatcher: part.cspace.id,
      program: program.name,
      part: home === core ? 'main' : 'span',
      cores,
      args,
      environment,
      capabilities,
    };
    part.state = 'begun';
    const seed = `${domain}/${core}.${incarnation}/${this.chance}`;
    const { id } = part.cspace;
    const dispatcher = this.dispatchers.create({ id, domain, program, taskClass: task, seed, first }, now);
    for (const upcall of part.early.splice(0)) dispatcher.push(upcall);
    this.context.outbox.log('dispatcher_created', { domain, dispatcher: dispatcher.id, program: program.name });
  }

  /** Sends the part's dispatcher an upcall, now or when it starts. */
  tell(part: Part, upcall: Upcall, now: Nanos): boolean {
    if (part.ending !== null) return false;
    const dispatcher = this.dispatchers.get(part.cspace.id);
    if (dispatcher !== undefined) return this.dispatchers.upcall(dispatcher, upcall, now);
    part.early.push(upcall);
    return true;
  }

  /** Ends the part; a second reason changes nothing. */
  stop(part: Part, ending: Ending, now: Nanos): void {
    if (part.ending !== null) return;
    part.ending = ending;
    const dispatcher = this.dispatchers.get(part.cspace.id);
    if (dispatcher !== undefined) return this.dispatchers.kill(dispatcher, ending, now);
    if (part.state === 'made') this.dispatchers.renounce(part.spec.task);
    this.clean(part, ending, now);
  }

  /** A dispatcher has ended. */
  dispatcherEnded({ id }: Dispatcher, ending: Ending, now: Nanos): void {
    const part = this.byCspace.get(id);
    if (part === undefined) return;
    part.ending ??= ending;
    this.clean(part, part.ending, now);
  }

  private clean(part: Part, ending: Ending, now: Nanos): void {
    part.state = 'cleaning';
    this.port.ending(part, ending, now);
    this.port.deleteCspace(part.cspace.root, now, (at) => {
      this.cpuDriver.domains.remove(part.cspace.id);
      this.byDomain.delete(part.spec.domain);
      this.byCspace.delete(part.cspace.id);
      this.port.stopped(part, ending, at);
    });
  }
}
