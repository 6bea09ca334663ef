import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Ending } from '../../cpu-driver/dispatchers/dispatcher.ts';
import type { MonitorContext } from '../context.ts';
import { OperationError } from '../operations.ts';
import { programLimit } from './limits.ts';
import type { PartSpec } from './parts.ts';

/** The home's record of a domain's part on a core. `making`: requested and not yet confirmed. */
export interface KnownPart {
  state: 'making' | 'there' | 'stopping' | 'stopped';
  ending: Ending | null;
}

export interface Home {
  readonly spec: PartSpec;
  readonly parts: Map<CoreId, KnownPart>;
  /** The core that requested it, until the part has started. */
  creator: CoreId | null;
  begun: boolean;
  /** How the domain ends; the first reason counts. */
  ending: Ending | null;
  finished: boolean;
  readonly startedAt: Nanos;
  endedAt: Nanos;
  readonly waiters: Set<(home: Home, now: Nanos) => void>;
}

export interface HomesPort {
  /** The part on this core must stop. */
  stopPart(core: CoreId, domain: string, ending: Ending, now: Nanos): void;
  /** Tells the part on a core that another one has come (empty) or gone (an error's name). */
  tellPart(core: CoreId, domain: string, about: CoreId, error: string, now: Nanos): void;
}

/**
 * The records of the domains whose first dispatcher is on this core.
 *
 *   P5  a domain has finished exactly when every core that had a dispatcher of it has reported that nothing is left, or
 *       is gone; its waiters are then answered, once, with the first reason for its end;
 *   P6  a part on a core that is gone has ended with PEER_GONE, and the domain goes on without it. A domain whose home
 *       is gone ends everywhere with HOME_GONE.
 */
export class Homes {
  private readonly byName = new Map<string, Home>();
  private readonly finished: string[] = [];
  private count = 0;

  constructor(
    private readonly context: MonitorContext,
    private readonly port: HomesPort,
  ) {}

  nextName(): string {
    this.count += 1;
    return `${this.context.core}.${this.context.incarnation}.${this.count}`;
  }

  get(name: string): Home | undefined {
    return this.byName.get(name);
  }

  /** The home of a domain; throws NO_SUCH_DOMAIN. */
  find(name: string): Home {
    const home = this.byName.get(name);
    if (home === undefined)
      throw new OperationError('NO_SUCH_DOMAIN', `core ${this.context.core} knows no domain ${name.slice(0, 40)}`);
    return home;
  }

  all(): readonly Home[] {
    return [...this.byName.values()];
  }

  get unfinished(): number {
    return this.byName.size - this.finished.length;
  }

  create(spec: PartSpec, creator: CoreId, now: Nanos): Home {
    const home: Home = {
      spec,
      parts: new Map([[this.context.core, { state: 'there', ending: null }]]),
      creator,
      begun: false,
      ending: null,
      finished: false,
      startedAt: now,
      endedAt: 0,
      waiters: new Set(),
    };
    this.byName.set(spec.domain, home);
    return home;
  }

  /** Ends a domain: stops all its dispatchers. */
  end(home: Home, ending: Ending, now: Nanos): void {
    if (home.ending !== null) return;
    home.ending = ending;
    for (const [core, part] of home.parts) if (part.state === 'there') this.stopPart(home, core, part, now);
    this.settle(home, now);
  }

  /** A requested part exists; a domain that ended meanwhile stops it at once. */
  partThere(home: Home, core: CoreId, now: Nanos): void {
    const part = home.parts.get(core);
    if (part?.state !== 'making') return;
    part.state = 'there';
    if (home.ending !== null) return this.stopPart(home, core, part, now);
    this.tellOthers(home, core, '', now);
  }

  /** A requested part could not be created. */
  partRefused(home: Home, core: CoreId, now: Nanos): void {
    if (home.parts.get(core)?.state !== 'making') return;
    home.parts.delete(core);
    this.settle(home, now);
  }

  /** Nothing is left of a part. */
  partStopped(home: Home, core: CoreId, ending: Ending, now: Nanos): void {
    const part = home.parts.get(core);
    if (part === undefined || part.state === 'stopped') return;
    part.state = 'stopped';
    part.ending = ending;
    if (home.ending === null) this.tellOthers(home, core, ending.cause === 'exited' ? 'KILLED' : ending.cause, now);
    this.settle(home, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    const gone: Ending = { cause: 'PEER_GONE', status: 1, text: `core ${core} is gone` };
    for (const home of this.byName.values()) {
      if (home.finished) continue;
      if (home.creator === core && !home.begun) this.end(home, gone, now);
      this.partStopped(home, core, gone, now);
    }
  }

  private stopPart(home: Home, core: CoreId, part: KnownPart, now: Nanos): void {
    part.state = 'stopping';
    this.port.stopPart(core, home.spec.domain, known(home.ending), now);
  }

  private tellOthers(home: Home, about: CoreId, error: string, now: Nanos): void {
    for (const [core, { state }] of home.parts) {
      if (core !== about && (state === 'there' || state === 'making'))
        this.port.tellPart(core, home.spec.domain, about, error, now);
    }
  }

  private settle(home: Home, now: Nanos): void {
    if (home.finished || [...home.parts.values()].some(({ state }) => state !== 'stopped')) return;
    home.finished = true;
    home.endedAt = now;
    home.ending ??= { cause: 'KILLED', status: 1, text: 'its last dispatcher is gone' };
    const { cause, status, text } = home.ending;
    const { domain, program } = home.spec;
    this.context.outbox.log('domain_finished', { domain, program: program.name, cause, status, text });
    const waiters = [...home.waiters];
    home.waiters.clear();
    for (const tell of waiters) tell(home, now);
    this.finished.push(domain);
    if (this.finished.length > programLimit('finishedKept')) this.byName.delete(known(this.finished.shift()));
  }
}
