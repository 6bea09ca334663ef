import type { ShareRow } from './share-figure.ts';
import type { UnmapRow } from './unmap-figure.ts';

/** The measurements of `disruption-bench` on the cores that its unmaps interrupt. */
export interface Disruption {
  readonly unmaps: number;
  /** The difference between two quiet times, as if unmaps had caused it. */
  readonly noise_ns: number;
  readonly rows: readonly { readonly core: number; readonly touched: boolean; readonly lost_ns: number }[];
}

/** The lines of the measuring programs, each a JSON document, by program. */
export interface BenchLines {
  readonly 'disruption-bench': Disruption;
  readonly 'share-bench': readonly ShareRow[];
  readonly 'unmap-bench': UnmapRow;
}

/** Parses a line of one of our own programs; throws a SyntaxError if it is not JSON. */
export function benchLine<P extends keyof BenchLines>(_program: P, text: string): BenchLines[P] {
  return JSON.parse(text);
}
