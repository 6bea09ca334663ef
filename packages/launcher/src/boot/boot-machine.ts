/*
 * Boot: the SKB and all cores are started at once; the cores are told the SKB's address as soon as it listens; boot is
 * complete when the SKB says that every core is bound to every other one.
 *
 *   waiting_for_skb ──skb_listening──▶ joining ──mesh_complete──▶ complete └──────────────────────────────┴── a process
 *          failed or ended, deadline, interrupted ──▶ failed
 *
 *   BT1  nothing leaves `complete` or `failed`;
 *   BT2  `failed` names the process to blame and its last words.
 */
import { handlerFor } from '@mk/monitor-proto/handlers';
import type { CoreId } from '@mk/monitor-proto/ids';
import { withCause } from '../supervisor/last-words.ts';

export type BootEvent =
  | { readonly type: 'listening'; readonly process: string; readonly links: string }
  | { readonly type: 'registered'; readonly process: string }
  | { readonly type: 'progress'; readonly members: number; readonly links: number }
  | { readonly type: 'mesh_complete'; readonly cores: number; readonly links: number; readonly elapsedMs: number }
  /** The process gave its reason before it ended. */
  | { readonly type: 'failed'; readonly process: string; readonly error: string }
  | {
      readonly type: 'exited';
      readonly process: string;
      readonly how: string;
      readonly lastWords: string;
      /** False: the operating system could not start it. */
      readonly started?: boolean;
    }
  | { readonly type: 'deadline'; readonly afterMs: number }
  | { readonly type: 'interrupted' };

export type BootAction =
  | { readonly type: 'tell_cores'; readonly skbLinks: string }
  | { readonly type: 'progress'; readonly progress: BootProgress }
  | { readonly type: 'complete'; readonly links: number; readonly elapsedMs: number }
  | { readonly type: 'fail'; readonly reason: string };

/** How far boot has come, for the progress display. */
export interface BootProgress {
  readonly listening: number;
  readonly registered: number;
  readonly members: number;
  readonly links: number;
  readonly expectedCores: number;
  readonly expectedLinks: number;
}

export type BootState = 'waiting_for_skb' | 'joining' | 'complete' | 'failed';

/** Boot's reactions to events; performs nothing itself. */
export class BootMachine {
  state: BootState = 'waiting_for_skb';
  private readonly listening = new Set<string>();
  private readonly registered = new Set<string>();
  private members = 0;
  private links = 0;

  constructor(private readonly cores: number) {}

  step(event: BootEvent): readonly BootAction[] {
    if (this.state === 'complete' || this.state === 'failed') return [];
    return handlerFor(this.handlers, event.type)(event);
  }

  get progress(): BootProgress {
    const { cores, members, links } = this;
    return {
      listening: this.listening.size,
      registered: this.registered.size,
      members,
      links,
      expectedCores: cores,
      expectedLinks: (cores * (cores - 1)) / 2,
    };
  }

  private readonly handlers: {
    readonly [T in BootEvent['type']]: (event: Extract<BootEvent, { type: T }>) => readonly BootAction[];
  } = {
    listening: ({ process, links }) => {
      if (process !== SKB) {
        this.listening.add(process);
        return this.report();
      }
      if (this.state !== 'waiting_for_skb') return [];
      this.state = 'joining';
      return [{ type: 'tell_cores', skbLinks: links }, ...this.report()];
    },
    registered: ({ process }) => {
      this.registered.add(process);
      // A lone core has no peer, so the SKB hears of no link and never reports a complete mesh.
      if (this.cores === 1) return this.complete(1, 0, 0);
      return this.report();
    },
    progress: ({ members, links }) => {
      this.members = members;
      this.links = links;
      return this.report();
    },
    mesh_complete: ({ links, cores, elapsedMs }) => {
      if (cores < this.cores) return [];
      return this.complete(cores, links, elapsedMs);
    },
    failed: ({ process, error }) =>
      this.fail(portInUse(error) ?? `${title(process)} failed during boot: ${withCause(error)}`),
    exited: ({ process, how, lastWords, started }) =>
      this.fail(
        started === false
          ? `${title(process)} could not be started: ${lastWords}`
          : `${title(process)} died during boot (${how})${lastWords === '' ? '' : `: ${lastWords}`}`,
      ),
    deadline: ({ afterMs }) =>
      this.fail(
        `boot is not complete after ${afterMs / 1000} s: ${this.missing()}; a slow host may need a longer --boot-timeout`,
      ),
    interrupted: () => this.fail('interrupted during boot'),
  };

  private report(): readonly BootAction[] {
    return [{ type: 'progress', progress: this.progress }];
  }

  private complete(cores: number, links: number, elapsedMs: number): readonly BootAction[] {
    this.state = 'complete';
    this.members = cores;
    this.links = links;
    return [...this.report(), { type: 'complete', links, elapsedMs }];
  }

  private fail(reason: string): readonly BootAction[] {
    this.state = 'failed';
    return [{ type: 'fail', reason }];
  }

  private missing(): string {
    if (this.state === 'waiting_for_skb') return 'the SKB does not listen yet';
    const late = Array.from({ length: this.cores }, (_, core) => coreName(core)).filter(
      (name) => !this.registered.has(name),
    );
    if (late.length > 0)
      return `${late.length} of ${this.cores} cores have not registered (${late.slice(0, 8).join(', ')}${late.length > 8 ? ', …' : ''})`;
    const { links, expectedLinks } = this.progress;
    return `${links} of ${expectedLinks} pairs of cores know each other`;
  }
}

export const SKB = 'skb';

/** The name of a core's process: `core-3`. */
export function coreName(core: CoreId): string {
  return `core-${core}`;
}

/** A process's name in running text. */
export function title(process: string): string {
  return process === SKB ? 'the SKB' : process.replace('-', ' ');
}

/** Rewords `PORT_IN_USE: host:port …` so that a person can act on it; null for any other error. */
function portInUse(error: string): string | null {
  const port = /^PORT_IN_USE: .*:(\d+) /.exec(error)?.[1];
  return port === undefined
    ? null
    : `port ${port} is in use by another process; choose another with --port, or leave it out for any free one`;
}
