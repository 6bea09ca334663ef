import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId } from '@mk/monitor-proto/ids';
import { quotedName, recipeName } from '@mk/monitor-proto/octopus/names';
import { parseRecord } from '@mk/monitor-proto/octopus/record';
import {
  type OctopusNotification,
  type OctopusReply,
  type OctopusRequest,
  TRIGGER,
} from '@mk/monitor-proto/octopus/requests';
import type { MonitorContext } from '../context.ts';
import { OWN_TRIGGERS } from '../knowledge/knowledge.ts';
import { type Operation, OperationError, type Resume, type Wait, wait } from '../operations.ts';
import type { Port, Ports } from './ports.ts';

/** Where a name is offered. */
export interface Offered {
  readonly core: CoreId;
  readonly port: number;
}

/** Names' view of the monitor's channel to the knowledge base. */
export interface NameRecords {
  ask(request: OctopusRequest, replied: (reply: OctopusReply) => void, failed: (error: Error) => void): void;
  onNotification(listener: (notification: OctopusNotification) => void): () => void;
  onReset(listener: () => void): () => void;
}

/**
 * Names that all cores find: a transient record each, `offer:NAME { core, port }`, which goes with the core. A core
 * deletes a name that ends earlier; a port refuses a bind by a stale one, and the binder looks again.
 */
export class Names {
  private readonly waiting = new Map<number, () => void>();
  private nextTrigger = OWN_TRIGGERS;

  constructor(
    private readonly context: MonitorContext,
    private readonly records: NameRecords,
    /** Ports outlive the session with which their records went. */
    ports: Ports,
  ) {
    records.onNotification(({ id }) => this.waiting.get(id)?.());
    records.onReset(() => {
      for (const look of [...this.waiting.values()]) look();
      for (const port of ports.all()) if (port.scope === 'machine') records.ask(this.offerOf(port), nothing, nothing);
    });
  }

  /** The number of look-ups that wait for a name. */
  get size(): number {
    return this.waiting.size;
  }

  /** Makes a port known to all; NAME_TAKEN. */
  *register(port: Port): Operation<ErrorName | null> {
    const reply = yield* this.ask(this.offerOf(port));
    if (reply.ok) return null;
    return reply.error === 'RECORD_EXISTS' ? 'NAME_TAKEN' : 'SKB_UNREACHABLE';
  }

  private offerOf({ name, id, interface: spoken }: Port): OctopusRequest {
    const record = `${recordOf(name)} { core: ${this.context.core}, port: ${id}, interface: ${quotedName(spoken)} }`;
    return { type: 'set', record, exclusive: true, transient: true, recipe: 'offer' };
  }

  /** Withdraws a port's record, unless it belongs to another port. */
  *withdraw({ name, id }: Port): Operation<void> {
    const query = `${recordOf(name)} { core: == ${this.context.core}, port: == ${id} }`;
    yield* this.ask({ type: 'del', query, recipe: 'offer' });
  }

  /** Where the name is offered now; null: nowhere. */
  *lookUp(name: string): Operation<Offered | null> {
    return offeredIn(yield* this.ask({ type: 'get', query: recordOf(name) }));
  }

  /**
   * Like `lookUp`, but waits for a name that is offered nowhere until it may be, or until somebody calls the function
   * passed to `interrupted`; then it returns null and is worth another look.
   */
  *lookUpOrWait(name: string, interrupted: (stop: Resume<never>) => () => void): Operation<Offered | null> {
    const id = this.nextTrigger++;
    let told = false;
    this.waiting.set(id, () => (told = true));
    try {
      const reply = yield* this.ask({
        type: 'get',
        query: recordOf(name),
        trigger: { id, inCase: 'NO_RECORD', mode: TRIGGER.ON_SET },
      });
      if (!reply.installed || told) return offeredIn(reply);
      yield* wait(this.wokenOr(id, interrupted));
      return null;
    } finally {
      this.waiting.delete(id);
      if (!told) this.records.ask({ type: 'remove_trigger', id }, nothing, nothing);
    }
  }

  private wokenOr(id: number, interrupted: (stop: Resume<never>) => () => void): Wait<void> {
    return {
      arm: (resume) => {
        this.waiting.set(id, () => resume(undefined, this.context.now));
        return interrupted(resume);
      },
    };
  }

  private *ask(request: OctopusRequest): Operation<OctopusReply> {
    return yield* wait<OctopusReply>({
      arm: (resume) => {
        this.records.ask(request, (reply) => resume(reply, this.context.now), nothing);
        return () => undefined;
      },
    });
  }
}

/** The form of a name: reads the same in a record, a log line and a shell. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

export function failUnlessName(name: string): void {
  if (!NAME.test(name))
    throw new OperationError(
      'BAD_REQUEST',
      `${JSON.stringify(name.slice(0, 40))} is not a name: letters, digits and . _ / - up to 128`,
    );
}

function recordOf(name: string): string {
  return quotedName(recipeName('offer', name));
}

function offeredIn(reply: OctopusReply): Offered | null {
  if (!reply.ok || reply.record === undefined) return null;
  const { attributes } = parseRecord(reply.record);
  const [core, port] = [attributes.get('core'), attributes.get('port')];
  return typeof core === 'number' && typeof port === 'number' ? { core, port } : null;
}

function nothing(): void {
  // Nobody waits for this answer.
}
