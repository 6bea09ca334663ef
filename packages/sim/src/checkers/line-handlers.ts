import type { LogEventName, LogFieldsOf } from '@mk/monitor-proto/log-events';
import type { SimLogLine } from '../engine/sim-log.ts';
import type { SimNode } from '../engine/sim-node.ts';
import type { Report } from './checker.ts';

/** A line of one event, with the fields of its row. */
export type LineOf<E extends LogEventName> = SimLogLine & LogFieldsOf<E>;

type LineHandler<E extends LogEventName> = (line: LineOf<E>, report: Report, node: SimNode) => void;
/** Handlers of log lines, by event. */
export type LineHandlers = { readonly [E in LogEventName]?: LineHandler<E> };

/**
 * Hands a line to its event's handler, if there is one. The table makes the lines, so their fields are those of its
 * row.
 */
export function handleLine(handlers: LineHandlers, line: SimLogLine, report: Report, node: SimNode): void {
  const handler = handlers[line.event] as ((...given: [SimLogLine, Report, SimNode]) => void) | undefined;
  handler?.(line, report, node);
}
