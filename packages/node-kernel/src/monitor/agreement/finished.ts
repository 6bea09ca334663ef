/*
 * A7: a late or repeated phase does nothing. A cut link can delay a message for as long as the cut lasts, long after
 * its round has ended another way. So a core remembers its answers until the initiator says that the round is over on
 * every core; from then on the round's number alone shows that a message is late.
 */
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';

/** At the initiator: its rounds that are not over. */
export class OpenRounds {
  private last = 0;
  /** In order of their numbers. */
  private readonly open = new Set<number>();

  begin(): number {
    this.last += 1;
    this.open.add(this.last);
    return this.last;
  }

  /** Ends a round: every core has acted on the last phase, or is gone. */
  end(round: number): void {
    this.open.delete(round);
  }

  get size(): number {
    return this.open.size;
  }

  /** The lowest open round: every round with a lower number is over. */
  get oldest(): number {
    for (const round of this.open) return round;
    return this.last + 1;
  }
}

/** This core's answers in the rounds of one initiator. */
export class AnsweredPhases {
  private oldest = 0;
  /** By operation, oldest first: the answers by phase. */
  private readonly rounds = new Map<
    OperationId,
    { readonly round: number; readonly answers: (readonly number[] | undefined)[] }
  >();

  /** The answer to a phase of a round that is not over. */
  get(op: OperationId, phase: number): readonly number[] | undefined {
    return this.rounds.get(op)?.answers[phase];
  }

  add(op: OperationId, phase: number, round: number, data: readonly number[]): void {
    const kept = this.rounds.get(op);
    if (kept !== undefined) {
      kept.answers[phase] = data;
      return;
    }
    const answers: (readonly number[] | undefined)[] = [];
    answers[phase] = data;
    this.rounds.set(op, { round, answers });
    if (this.rounds.size <= limit('operationsRemembered')) return;
    const [first] = this.rounds.keys();
    this.rounds.delete(known(first));
  }

  /** Notes that the initiator's rounds below `oldest` are over. */
  heard(oldest: number): void {
    if (oldest <= this.oldest) return;
    this.oldest = oldest;
    for (const [op, { round }] of this.rounds) {
      if (round >= oldest) break;
      this.rounds.delete(op);
    }
  }

  /** Whether a round is over on every core, so that a message of it is late. */
  isOver(round: number): boolean {
    return round < this.oldest;
  }

  /** The number of rounds remembered. */
  get size(): number {
    return this.rounds.size;
  }
}

/** At every core: the phases that it has finished. */
export class FinishedPhases {
  /** By `core.incarnation`. */
  private readonly initiators = new Map<string, AnsweredPhases>();

  /** The phases of an operation's initiator. */
  of(op: OperationId): AnsweredPhases {
    const name = initiatorOf(op);
    let known = this.initiators.get(name);
    if (known === undefined) this.initiators.set(name, (known = new AnsweredPhases()));
    return known;
  }

  /** Like `of`, for an initiator that may not exist: an invented one leaves nothing behind. */
  seen(op: OperationId): AnsweredPhases {
    return this.initiators.get(initiatorOf(op)) ?? new AnsweredPhases();
  }

  /** Forgets an incarnation that is gone. */
  forget(core: CoreId, incarnation: number): void {
    this.initiators.delete(`${core}.${incarnation}`);
  }

  /** The number of rounds remembered, for leak checks. */
  get size(): number {
    let size = 0;
    for (const { size: rounds } of this.initiators.values()) size += rounds;
    return size;
  }
}

/** The core that began an operation: `op` is `core.incarnation.number`. */
export function coreOf(op: OperationId): number {
  return Number(op.slice(0, op.indexOf('.')));
}

export function incarnationOf(op: OperationId): number {
  const initiator = initiatorOf(op);
  return Number(initiator.slice(initiator.indexOf('.') + 1));
}

export function isBegunBy(op: OperationId, core: CoreId, incarnation: number): boolean {
  return initiatorOf(op) === `${core}.${incarnation}`;
}

function initiatorOf(op: OperationId): string {
  const end = op.indexOf('.', op.indexOf('.') + 1);
  return end < 0 ? op : op.slice(0, end);
}
