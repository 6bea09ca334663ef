import type { Simulation } from '../engine/simulation.ts';
import { agreementBesideOthers, agreementChecker } from './agreement.ts';
import { assertionChecker } from './assertions.ts';
import { capabilityChecker } from './capabilities.ts';
import type { Checker, CheckerFactory, Violation } from './checker.ts';
import { honestPeersChecker } from './honest-peers.ts';
import { leakChecker } from './leaks.ts';
import { membershipChecker } from './membership.ts';
import { memoryChecker } from './memory.ts';
import { programChecker } from './programs.ts';
import { ramChecker } from './ram.ts';
import { urpcChecker } from './urpc.ts';
import { viewsChecker } from './views.ts';

const FACTORIES: readonly CheckerFactory[] = [
  urpcChecker,
  agreementChecker,
  membershipChecker,
  viewsChecker,
  honestPeersChecker,
  leakChecker,
  programChecker,
  memoryChecker,
  ramChecker,
];

/**
 * For runs with programs, which perform capability operations; a crash loses the messages that the capability models
 * rely on.
 */
export function checkersOfPrograms(crashes: boolean): readonly CheckerFactory[] {
  const others = FACTORIES.filter((factory) => factory !== agreementChecker);
  return [...others, agreementBesideOthers, ...(crashes ? [] : [capabilityChecker])];
}

/** All checkers of one run. */
export class Checks {
  readonly violations: Violation[] = [];
  private readonly checkers: readonly Checker[];

  constructor(
    private readonly simulation: Simulation,
    factories: readonly CheckerFactory[] = FACTORIES,
  ) {
    this.checkers = [assertionChecker, ...factories].map((make) => make());
    for (const checker of this.checkers) this.attach(checker);
  }

  get failed(): boolean {
    return this.violations.length > 0;
  }

  /** Checks the invariants of the settled state. */
  atEnd(): void {
    for (const checker of this.checkers) checker.atEnd?.(this.simulation, this.reporter(checker));
  }

  report(checker: string, invariant: string, text: string): void {
    this.violations.push({ invariant, checker, text, at: this.simulation.now });
  }

  private reporter(checker: Checker): (invariant: string, text: string) => void {
    return (invariant, text) => this.report(checker.name, invariant, text);
  }

  private attach(checker: Checker): void {
    const report = this.reporter(checker);
    this.simulation.observe({
      ...(checker.line && { line: (line, node) => checker.line?.(line, report, node) }),
      ...(checker.afterStep && { step: (node, event) => checker.afterStep?.(node, event, report) }),
      ...(checker.broken && { broken: (node, failure) => checker.broken?.(node, failure, report) }),
      ...(checker.died && { died: (node, cause) => checker.died?.(node, cause, report) }),
    });
  }
}
