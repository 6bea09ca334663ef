/*
 * The simulator's host of dispatchers. A turn runs at once when its core resumes it, and is over on the core after the
 * time that it costs: then what its calls ask for happens. Until then its core handles other events, like a real core's
 * monitor while a program's thread runs; with `oneCpu` that makes the turn longer.
 *
 *   S4  a turn depends only on its dispatcher's earlier turns, its upcalls and the virtual time, and its result is part
 *       of the trace.
 */
import { keysOf } from '@mk/monitor-proto/tables';
import { known } from '@mk/monitor-proto/assert';
import type { Nanos, PeerId } from '@mk/monitor-proto/ids';
import { BorderError } from '@mk/libmk/dispatcher/plain-value';
import type { CallResult } from '@mk/libmk/dispatcher/protocol';
import type { DispatcherEffect } from '@mk/node-kernel/cpu-driver/dispatchers/effects';
import type { AnyEvent, SimNode } from '../engine/sim-node.ts';
import {
  type ContextTurn,
  PROGRAM_COSTS,
  type ProgramContext,
  type ProgramCosts,
  type ProgramWorld,
} from './program-world.ts';

type EffectOf<T extends DispatcherEffect['type']> = Extract<DispatcherEffect, { readonly type: T }>;

interface SimDispatcher {
  readonly start: EffectOf<'start_dispatcher'>;
  context: ProgramContext | null;
  /** The resumption that has not run yet: its node hangs, or it is just about to run. */
  pending: EffectOf<'resume_dispatcher'> | null;
  answer: CallResult | null;
}

/** A recorded turn, to find the first difference of two runs. */
export interface TurnRecord {
  readonly at: Nanos;
  readonly core: PeerId;
  readonly dispatcher: number;
  readonly domain: string;
  readonly program: string;
  /** Digest of the turn's bytes. */
  readonly digest: number;
}

/** The program of a turn, and the turn's number in the run. */
export interface RunningTurn {
  readonly number: number;
  readonly core: PeerId;
  readonly dispatcher: number;
  readonly domain: string;
  readonly program: string;
}

/** What the host needs of the simulation. */
export interface ProgramsHost {
  readonly now: Nanos;
  after(at: Nanos, run: () => void): void;
  deliver(at: Nanos, node: SimNode, end: null, event: AnyEvent, costNs: Nanos): void;
  /** Hands an event to a node within a turn of one of its dispatchers. */
  within(node: SimNode, event: AnyEvent): void;
  /** Adds bytes to the trace. */
  noteBytes(bytes: Uint8Array): void;
}

/** A turn that takes longer never ends in any run. */
const NEVER: Nanos = 24 * 3600 * 1e9;

export class SimPrograms {
  /** Turns so far. */
  turns = 0;
  /** The turns, if somebody records them. */
  record: TurnRecord[] | null = null;
  /** The running turn; null: none. */
  running: RunningTurn | null = null;
  /** Numbers of turns that did not return in an earlier run; if they do not return now either, they are endless. */
  suspects: ReadonlySet<number> = new Set();
  private readonly byNode = new Map<SimNode, Map<number, SimDispatcher>>();

  constructor(
    private readonly host: ProgramsHost,
    private readonly world: ProgramWorld | null,
    private readonly costs: ProgramCosts = PROGRAM_COSTS,
  ) {}

  perform(node: SimNode, effect: DispatcherEffect, at: Nanos): void {
    this.performAs(node, effect.type, effect, at);
  }

  private performAs<T extends DispatcherEffect['type']>(node: SimNode, type: T, effect: EffectOf<T>, at: Nanos): void {
    this.performers[type](node, effect, at);
  }

  /** A hung node continues, and so do its dispatchers. */
  resumed(node: SimNode): void {
    for (const dispatcher of this.of(node).values())
      if (dispatcher.pending !== null) this.soon(node, dispatcher, this.host.now);
  }

  /** A node's process is gone, and with it its dispatchers. */
  died(node: SimNode): void {
    this.byNode.delete(node);
  }

  private readonly performers: {
    readonly [T in DispatcherEffect['type']]: (node: SimNode, effect: EffectOf<T>, at: Nanos) => void;
  } = {
    start_dispatcher: (node, start, at) => {
      const { dispatcher } = start;
      if (this.world === null) {
        const event = {
          type: 'dispatcher_ended',
          dispatcher,
          cause: 'DISPATCHER_LOST',
          text: 'this simulation runs no programs',
        } as const;
        return this.host.deliver(at, node, null, event, 0);
      }
      this.of(node).set(dispatcher, { start, context: null, pending: null, answer: null });
      this.host.deliver(
        at + this.costs.startNs * node.slowFactor,
        node,
        null,
        { type: 'dispatcher_started', dispatcher },
        0,
      );
    },
    resume_dispatcher: (node, effect, at) => {
      const dispatcher = this.of(node).get(effect.dispatcher);
      if (dispatcher === undefined) return;
      dispatcher.pending = effect;
      node.turnPending = true;
      this.soon(node, dispatcher, at);
    },
    answer_dispatcher: (node, { dispatcher, result }) => {
      const asking = this.of(node).get(dispatcher);
      if (asking !== undefined) asking.answer = result;
    },
    // A simulated turn knows the end of its slice, and cannot be interrupted.
    interrupt_dispatcher: () => undefined,
    // Virtual time is its own.
    measure_dispatcher: (node, { dispatcher }, at) => {
      if (!this.of(node).has(dispatcher)) return;
      this.host.deliver(at, node, null, { type: 'dispatcher_used', dispatcher, cpuNs: Infinity }, 0);
    },
    kill_dispatcher: (node, { dispatcher }, at) => {
      if (!this.of(node).delete(dispatcher)) return;
      const event = { type: 'dispatcher_ended', dispatcher, cause: 'KILLED', text: '' } as const;
      this.host.deliver(at + this.costs.killNs * node.slowFactor, node, null, event, 0);
    },
  };

  private soon(node: SimNode, dispatcher: SimDispatcher, at: Nanos): void {
    const { life } = node;
    this.host.after(at, () => {
      node.turnPending = false;
      const { pending } = dispatcher;
      if (pending === null || node.life !== life || node.hung) return;
      if (this.of(node).get(pending.dispatcher) !== dispatcher) return;
      dispatcher.pending = null;
      this.run(node, dispatcher, pending);
    });
  }

  private run(node: SimNode, dispatcher: SimDispatcher, effect: EffectOf<'resume_dispatcher'>): void {
    const { dispatcher: id, until, upcalls, frames } = effect;
    const { now } = this.host;
    dispatcher.context ??= this.contextOf(node, dispatcher);
    const suspect = this.suspects.has(this.turns);
    const { domain, program } = dispatcher.start;
    this.running = { number: this.turns, core: node.id, dispatcher: id, domain, program: program.name };
    const came = dispatcher.context.resume(
      { now: Math.floor(now), until: Math.floor(until), upcalls },
      frames,
      suspect,
    );
    this.running = null;
    this.note(node, dispatcher, came);
    if (this.of(node).get(id) !== dispatcher) return; // killed by what it called
    // As the kernel sees it: asked to yield at the end of its slice, killed after the grace period (P3).
    if (came.endless) return;
    const ranNs = this.costOf(came) * node.slowFactor;
    if (ranNs >= NEVER) return;
    if (came.ended !== '') {
      this.of(node).delete(id);
      const event = { type: 'dispatcher_ended', dispatcher: id, cause: came.ended, text: came.fault } as const;
      return this.over(node, now + ranNs, event);
    }
    const { turn, fault } = came;
    this.over(node, now + ranNs, { type: 'dispatcher_turn', dispatcher: id, turn, fault, ranNs });
  }

  /** The turn has had its time; on a core with one CPU it then makes up for what the kernel took meanwhile. */
  private over(node: SimNode, at: Nanos, event: AnyEvent): void {
    if (!this.costs.oneCpu) return this.host.deliver(at, node, null, event, 0);
    const { life, occupiedNs } = node;
    this.host.after(at, () => {
      if (node.life !== life) return;
      const takenNs = node.occupiedNs - occupiedNs;
      if (takenNs === 0) this.host.deliver(at, node, null, event, 0);
      else this.over(node, at + takenNs, event);
    });
  }

  private costOf({ turn, callsNow }: ContextTurn): Nanos {
    const { turnNs, callNs, callNowNs } = this.costs;
    return turnNs + callsNow * callNowNs + (turn === null ? 0 : turn.calls.length * callNs + turn.workNs);
  }

  private contextOf(node: SimNode, dispatcher: SimDispatcher): ProgramContext {
    const { program, seed, bufferBytes, dispatcher: id } = dispatcher.start;
    return known(this.world).context({
      program,
      seed,
      bufferBytes,
      callNow: (name, args) => {
        dispatcher.answer = null;
        this.host.within(node, { type: 'dispatcher_call', dispatcher: id, name, args });
        if (dispatcher.answer === null) throw new BorderError('the kernel gave no answer');
        return dispatcher.answer;
      },
    });
  }

  private note(node: SimNode, { start }: SimDispatcher, { bytes }: ContextTurn): void {
    this.turns += 1;
    this.host.noteBytes(bytes);
    if (this.record === null) return;
    const { dispatcher, domain, program } = start;
    this.record.push({
      at: this.host.now,
      core: node.id,
      dispatcher,
      domain,
      program: program.name,
      digest: digestOf(bytes),
    });
  }

  private of(node: SimNode): Map<number, SimDispatcher> {
    let dispatchers = this.byNode.get(node);
    if (dispatchers === undefined) this.byNode.set(node, (dispatchers = new Map()));
    return dispatchers;
  }
}

/** Where two runs that should be equal diverge, in words; null: their programs did the same. */
export function firstDifference(a: readonly TurnRecord[], b: readonly TurnRecord[]): string | null {
  const at = a.findIndex((turn, i) => {
    const other = b[i];
    return other === undefined || keysOf(turn).some((field) => turn[field] !== other[field]);
  });
  const turn = at < 0 ? b[a.length] : a[at];
  if (turn === undefined) return null;
  const { program, domain, core, dispatcher } = turn;
  return `turn ${at < 0 ? a.length : at}, at ${turn.at / 1e6} ms: program ${program} (domain ${domain}, dispatcher ${dispatcher} of core ${core}) did something else`;
}

/** FNV-1a. */
function digestOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
