import type { AssertionFailure } from '@mk/monitor-proto/assert';
import type { Simulation } from '../engine/simulation.ts';
import type { SimLogLine } from '../engine/sim-log.ts';
import type { AnyEvent, SimNode } from '../engine/sim-node.ts';

/** A broken invariant. */
export interface Violation {
  /** The invariant's number in the table of invariants. */
  readonly invariant: string;
  /** The checker that saw it. */
  readonly checker: string;
  readonly text: string;
  /** Virtual time, nanoseconds. */
  readonly at: number;
}

export type Report = (invariant: string, text: string) => void;

/** Watches a run for some invariants. Reads what a real cluster logs, wherever that is enough. */
export interface Checker {
  readonly name: string;
  /** Every log line, in the order of writing. */
  line?(line: SimLogLine, report: Report, node: SimNode): void;
  /** After every step of a node. */
  afterStep?(node: SimNode, event: AnyEvent, report: Report): void;
  /** A process ended although nobody asked it to, or was killed. */
  died?(node: SimNode, cause: string, report: Report): void;
  /** An assertion of a node’s machine failed. */
  broken?(node: SimNode, failure: AssertionFailure, report: Report): void;
  /** Faults have stopped, and everything has settled. */
  atEnd?(simulation: Simulation, report: Report): void;
}

/** Makes a fresh checker for one run. */
export type CheckerFactory = () => Checker;
