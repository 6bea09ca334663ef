import type { OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';

/*
 * M4: a phase that comes late or twice does nothing. A message can be held up on a cut link for as long as the link is cut,
 * while its round has long ended by another way. So a core remembers what it has answered until the initiator says that the
 * round is over on every core; from then on the number of the round alone tells that a message of it is late.
 */

/** At the initiator: which of its rounds are not over yet. */
export class OpenRounds {
  private last = 0;
  /** In the order of their numbers. */
  private readonly open = new Set<number>();

  begin(): number {
    this.last += 1;
    this.open.add(this.last);
    return this.last;
  }

  /** Every core has acted on its last phase, or is gone. */
  end(round: number): void {
    this.open.delete(round);
  }

  get size(): number {
    return this.open.size;
  }

  /** Every round of a lower number is over. */
  get oldest(): number {
    for (const round of this.open) return round;
    return this.last + 1;
  }
}

interface Initiator {
  oldest: number;
  /** What was answered, by operation and phase, oldest first. */
  readonly answers: Map<string, { readonly round: number; readonly data: readonly number[] }>;
}

/** At every core: the phases that it has finished. */
export class FinishedPhases {
  /** By `core.incarnation`. */
  private readonly initiators = new Map<string, Initiator>();

  /** What was answered to a phase of a round that is not over. */
  get(op: OperationId, phase: number): readonly number[] | undefined {
    return this.initiators.get(initiatorOf(op))?.answers.get(keyOf(op, phase))?.data;
  }

  add(op: OperationId, phase: number, round: number, data: readonly number[]): void {
    const { answers } = this.initiator(op);
    answers.set(keyOf(op, phase), { round, data });
    if (answers.size <= limit('operationsRemembered')) return;
    const [oldest] = answers.keys();
    answers.delete(oldest!);
  }

  /** The initiator says that its rounds below `oldest` are over. */
  heard(op: OperationId, oldest: number): void {
    const initiator = this.initiator(op);
    if (oldest <= initiator.oldest) return;
    initiator.oldest = oldest;
    for (const [key, { round }] of initiator.answers) {
      if (round >= oldest) break;
      initiator.answers.delete(key);
    }
  }

  /** Whether a round is over on every core: a message of it is late. */
  isOver(op: OperationId, round: number): boolean {
    return round < (this.initiators.get(initiatorOf(op))?.oldest ?? 0);
  }

  /** An incarnation is gone. */
  forget(core: number, incarnation: number): void {
    this.initiators.delete(`${core}.${incarnation}`);
  }

  /** Answers remembered, for leak checks. */
  get size(): number {
    let size = 0;
    for (const { answers } of this.initiators.values()) size += answers.size;
    return size;
  }

  private initiator(op: OperationId): Initiator {
    const name = initiatorOf(op);
    let known = this.initiators.get(name);
    if (known === undefined) this.initiators.set(name, (known = { oldest: 0, answers: new Map() }));
    return known;
  }
}

/** The core that began an operation: `op` is `core.incarnation.number`. */
export function coreOf(op: OperationId): number {
  return Number(op.slice(0, op.indexOf('.')));
}

export function incarnationOf(op: OperationId): number {
  return Number(op.split('.', 2)[1]);
}

export function isBegunBy(op: OperationId, core: number, incarnation: number): boolean {
  return initiatorOf(op) === `${core}.${incarnation}`;
}

function initiatorOf(op: OperationId): string {
  return op.split('.', 2).join('.');
}

function keyOf(op: OperationId, phase: number): string {
  return `${op}/${phase}`;
}
