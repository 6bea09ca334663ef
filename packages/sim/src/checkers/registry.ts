import type { Simulation } from '../engine/simulation.ts';
import { agreementChecker } from './agreement.ts';
import type { Checker, CheckerFactory, Violation } from './checker.ts';
import { honestPeersChecker } from './honest-peers.ts';
import { leakChecker } from './leaks.ts';
import { membershipChecker } from './membership.ts';
import { programChecker } from './programs.ts';
import { urpcChecker } from './urpc.ts';

/** Every invariant that runs are checked for, by number, with the checker that sees it broken. A new checker adds its rows. */
export const INVARIANTS: Readonly<Record<string, { readonly checker: string; readonly doc: string }>> = {
  U1: {
    checker: 'urpc',
    doc: 'Every message that a channel took is handed on exactly once while both instances live.',
  },
  U2: { checker: 'urpc', doc: 'Messages are handed on in the order of sending, within their lane.' },
  U3: {
    checker: 'honest_peers',
    doc: 'No more than a window of a lane is on the way; an ack covers only what was sent.',
  },
  A1: { checker: 'agreement', doc: 'A core acts once on each phase of a round.' },
  A2: {
    checker: 'agreement',
    doc: 'Nobody commits before everybody has prepared; a round that ends well had everybody’s consent.',
  },
  A3: { checker: 'agreement', doc: 'Every round ends, in ok or a named error, within its deadline.' },
  J1: { checker: 'membership', doc: 'Two monitors have one link.' },
  J2: { checker: 'membership', doc: 'A monitor is in no global operation before it is ready.' },
  R1: { checker: 'membership', doc: 'One live instance holds a core id.' },
  R2: { checker: 'membership', doc: 'Incarnations of a core rise.' },
  R3: { checker: 'membership', doc: 'Two monitors are introduced once in a life of the SKB.' },
  R4: { checker: 'membership', doc: 'In the end no core lives whose incarnation another one has given up.' },
  H1: { checker: 'honest_peers', doc: 'Sound peers never break the protocol against one another.' },
  H2: { checker: 'honest_peers', doc: 'No process ends by itself.' },
  L1: { checker: 'leaks', doc: 'Nothing is left over when everything has settled.' },
  C0: {
    checker: 'convergence',
    doc: 'After faults stop every reachable core is bound, and a round over each plan ends well.',
  },
  D0: { checker: 'determinism', doc: 'The same seed gives the same trace.' },
  C1: {
    checker: 'capabilities',
    doc: 'A capability of a type with one owner has one owner, on whom all copies agree and who holds one.',
  },
  C2: {
    checker: 'capabilities',
    doc: 'No two capabilities of incompatible types cover the same memory, and none covers free memory. C4 shows here.',
  },
  C3: {
    checker: 'revoked',
    doc: 'When a revoke reports success nothing of its target is left anywhere but the slot itself.',
  },
  C5: { checker: 'capabilities', doc: 'Memory is free, covered or on its way home.' },
  C6: { checker: 'churn', doc: 'Nothing succeeds without the right that it needs.' },
  C7: { checker: 'churn', doc: 'Every capability operation ends, in success or a named error.' },
  K1: {
    checker: 'channels',
    doc: 'What a program hands over comes exactly once and in order to the other end, all of it while both ends live.',
  },
  K2: { checker: 'channels', doc: 'Credit is what counters say, and no more than a window is under way.' },
  K3: { checker: 'channels', doc: 'With everything settled a circuit is at both ends of its link.' },
  K5: {
    checker: 'channels',
    doc: 'A capability in a message comes once, before its message; none is lost or left without one.',
  },
  K6: { checker: 'channels', doc: 'An end whose other end is gone is told, after everything that was sent before.' },
  K7: { checker: 'channels', doc: 'Every bind and every message with capabilities ends.' },
  relations: {
    checker: 'capabilities',
    doc: 'The owner knows of every copy, ancestor and descendant that may be elsewhere.',
  },
  copies: { checker: 'capabilities', doc: 'The copies on one core agree on owner, lock and relations.' },
  P1: { checker: 'programs', doc: 'At most one dispatcher of a core is in a turn.' },
  P4: { checker: 'programs', doc: 'Every dispatcher has its part of a domain and its cspace.' },
  P5: { checker: 'programs', doc: 'A domain that has finished has no part on a living core.' },
  P7: { checker: 'programs', doc: 'When all domains have ended nothing of them is left on any core.' },
};

const FACTORIES: readonly CheckerFactory[] = [
  urpcChecker,
  agreementChecker,
  membershipChecker,
  honestPeersChecker,
  leakChecker,
  programChecker,
];

/** All checkers over one run. */
export class Checks {
  readonly violations: Violation[] = [];
  private readonly checkers: readonly Checker[];

  constructor(
    private readonly simulation: Simulation,
    factories: readonly CheckerFactory[] = FACTORIES,
  ) {
    this.checkers = factories.map((make) => make());
    for (const checker of this.checkers) this.attach(checker);
  }

  get failed(): boolean {
    return this.violations.length > 0;
  }

  /** The invariants that speak of the settled state. */
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
      ...(checker.line && { line: (line, node) => checker.line!(line, report, node) }),
      ...(checker.afterStep && { step: (node, event) => checker.afterStep!(node, event, report) }),
      ...(checker.died && { died: (node, cause) => checker.died!(node, cause, report) }),
    });
  }
}
