import { isErrorName } from '@mk/monitor-proto/errors';
import { limit } from '@mk/monitor-proto/limits';
import { PHASES, ROUND_ACTIONS } from '@mk/node-kernel/monitor/agreement/round-actions';
import type { SimNode } from '../engine/sim-node.ts';
import type { Checker, Report } from './checker.ts';
import { handleLine, type LineHandlers, type LineOf } from './line-handlers.ts';

interface Round {
  readonly op: string;
  readonly startedAt: number;
  readonly phases: number;
  readonly cores: number;
  readonly initiator: string;
  /** Cores that consented, by phase. */
  readonly consented: Map<number, Set<string>>;
  finished: boolean;
}

const DEADLINE_MS = limit('operationDeadlineNs') / 1e6;
/** How far a round may exceed its deadline: its core must get its turn. */
const SLACK_MS = 50;

/**
 * A1: a core acts once on each phase of a round. A2: a round that ends well had the consent of every core it counts; nobody
 * commits before everybody has prepared, and nobody both commits and aborts. A3: every round ends, in `ok` or in an error of
 * the table, within its deadline.
 */
export function agreementChecker(): Checker {
  return checkerOf(true);
}

/**
 * Like `agreementChecker`, for runs in which capability operations lead rounds, too: rounds whose beginning was not
 * logged are ignored.
 */
export function agreementBesideOthers(): Checker {
  return checkerOf(false);
}

function checkerOf(all: boolean): Checker {
  const rounds = new Map<string, Round>();
  const handlers: LineHandlers = {
    round_started(line) {
      const { op, phases, cores } = line;
      rounds.set(op, {
        op,
        phases,
        cores,
        startedAt: line.time,
        initiator: String(line.core),
        consented: new Map(),
        finished: false,
      });
    },
    round_voted: (line, report) => {
      if (all || rounds.has(line.op)) voted(rounds, line, report);
    },
    round_finished: (line, report, node) => finished(rounds, line, node, report),
  };
  return {
    name: 'agreement',
    line: (line, report, node) => handleLine(handlers, line, report, node),
    died(node) {
      for (const round of rounds.values()) if (round.initiator === String(node.id)) round.finished = true;
    },
    atEnd(_simulation, report) {
      for (const round of rounds.values()) if (!round.finished) report('A3', `round ${round.op} never ended`);
    },
  };
}

function voted(rounds: ReadonlyMap<string, Round>, line: LineOf<'round_voted'>, report: Report): void {
  const { op, phase, result, action } = line;
  if (action !== ROUND_ACTIONS.noop.ordinal) return; // capabilities have checkers of their own
  const round = rounds.get(op);
  if (round === undefined) return report('A1', `core ${line.core} voted on ${op}, which nobody began`);
  const voter = `${line.core}.${line.incarnation}`;
  let consented = round.consented.get(phase);
  if (consented === undefined) round.consented.set(phase, (consented = new Set()));
  // An ended operation continues in the background: a core that is asked again repeats its answer (A7).
  if (consented.has(voter) && !round.finished) report('A1', `core ${line.core} acted twice on phase ${phase} of ${op}`);
  if (result !== 'ok') return;
  consented.add(voter);
  if (phase === PHASES.prepare) return;
  const other = phase === PHASES.commit ? PHASES.abort : PHASES.commit;
  if ((round.consented.get(other)?.size ?? 0) > 0)
    report('A2', `${op}: some cores committed and core ${line.core} aborted, or the reverse`);
  if (phase !== PHASES.commit || round.phases === 1) return;
  const prepared = round.consented.get(PHASES.prepare)?.size ?? 0;
  if (prepared < round.cores)
    report('A2', `core ${line.core} committed ${op} when ${prepared} of ${round.cores} cores had prepared`);
}

function finished(
  rounds: ReadonlyMap<string, Round>,
  line: LineOf<'round_finished'>,
  node: SimNode,
  report: Report,
): void {
  const { op, result } = line;
  const round = rounds.get(op);
  if (round === undefined) return report('A3', `${op} ended, which nobody began`);
  if (round.finished) report('A3', `${op} ended twice`);
  round.finished = true;
  if (result !== 'ok' && !isErrorName(result))
    report('A3', `${op} ended in ${result}, which is not an error of the table`);
  const tookMs = line.time - round.startedAt;
  // A core that was stopped or slowed meanwhile may be late.
  const excused = node.slowFactor > 1 || node.disturbedAt / 1e6 >= round.startedAt;
  if (tookMs > DEADLINE_MS + SLACK_MS && !excused) report('A3', `${op} took ${Math.round(tookMs)} ms`);
  if (result !== 'ok') return;
  const committed = round.consented.get(PHASES.commit)?.size ?? 0;
  if (committed !== round.cores) report('A2', `${op} ended well over ${round.cores} cores, but ${committed} had acted`);
}
