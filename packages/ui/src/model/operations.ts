import { known } from '@mk/monitor-proto/assert';
import type { LogLineView, Millis } from './page-events.ts';

/** How far a core is in an operation, in order. */
export const STAGES = ['mark', 'ready', 'commit', 'done', 'abort'] as const;
export type Stage = (typeof STAGES)[number];

const STAGE_EVENTS: Readonly<Record<string, Stage>> = {
  cap_revoke_mark: 'mark',
  cap_revoke_ready: 'ready',
  cap_revoke_commit: 'commit',
  cap_revoke_done: 'done',
  cap_revoke_abort: 'abort',
};

/** Operations remembered, and lines per operation: a page that stays open for days needs no more memory. */
const MOST = { operations: 300, lines: 2000 } as const;

/** One operation, as the cores reported it. */
export interface OperationView {
  readonly op: string;
  /** `revoke`, `round`, …; empty until a core has named it. */
  kind: string;
  capability: string;
  /** '' while it runs. */
  result: string;
  elapsedUs: number | null;
  firstAt: Millis;
  lastAt: Millis;
  readonly lines: LogLineView[];
  /** How far each core is. */
  readonly stages: Map<number, Stage>;
  readonly cores: Set<number>;
}

/** The latest operations, assembled from the lines of all cores by their `op`. */
export class Operations {
  private readonly byOp = new Map<string, OperationView>();
  changes = 0;

  /** Newest last. */
  list(): readonly OperationView[] {
    return [...this.byOp.values()];
  }

  get(op: string): OperationView | undefined {
    return this.byOp.get(op);
  }

  take(line: LogLineView): void {
    const { op, core } = line;
    if (typeof op !== 'string' || op === '') return;
    this.changes += 1;
    const operation = this.byOp.get(op) ?? this.begin(op, line.time);
    operation.firstAt = Math.min(operation.firstAt, line.time);
    operation.lastAt = Math.max(operation.lastAt, line.time);
    if (operation.lines.length < MOST.lines) operation.lines.push(line);
    if (typeof core === 'number') operation.cores.add(core);
    const stage = STAGE_EVENTS[line.event];
    if (stage !== undefined && typeof core === 'number') operation.stages.set(core, stage);
    describe(operation, line);
  }

  private begin(op: string, at: Millis): OperationView {
    const operation: OperationView = {
      op,
      kind: '',
      capability: '',
      result: '',
      elapsedUs: null,
      firstAt: at,
      lastAt: at,
      lines: [],
      stages: new Map(),
      cores: new Set(),
    };
    this.byOp.set(op, operation);
    if (this.byOp.size > MOST.operations) this.byOp.delete(known(this.byOp.keys().next().value));
    return operation;
  }
}

const ENDS = new Set(['cap_operation', 'round_finished', 'operation_unanswered']);

function describe(operation: OperationView, line: LogLineView): void {
  const { kind, capability, result, elapsed_us: elapsedUs, error } = line;
  if (typeof kind === 'string' && kind !== '') operation.kind = kind;
  else if (operation.kind === '') operation.kind = kindOf(line.event);
  if (typeof capability === 'string' && capability !== '') operation.capability = capability;
  if (!ENDS.has(line.event)) return;
  if (typeof elapsedUs === 'number') operation.elapsedUs = elapsedUs;
  operation.result = typeof result === 'string' ? result : typeof error === 'string' ? error : 'failed';
}

function kindOf(event: string): string {
  if (event.startsWith('cap_revoke')) return 'revoke';
  return event.startsWith('round_') ? 'round' : '';
}
