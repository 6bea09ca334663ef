import { type Nanos, peerName } from '@mk/monitor-proto/ids';
import { describeRule } from '@mk/monitor-proto/link/fault-rule';
import type { FaultEngine } from '@mk/monitor-proto/link/fault-engine';
import type { HealTarget } from '@mk/monitor-proto/link/rule-state';
import type { LogEventName, LogFields, LogLevel } from '@mk/monitor-proto/log-events';
import { buildLogLine, levelOf, type LogLine, type LogSource, messageOf } from '@mk/monitor-proto/log-line';
import type { SimFault } from './scenario.ts';
import type { SimNode } from './sim-node.ts';

/** A line as a real process writes it, with the same schema; `time` is virtual, in milliseconds from the beginning. */
export type SimLogLine = LogLine & { readonly time: number; readonly level: LogLevel; readonly msg: string };

const LAUNCHER: LogSource = { core: 'launcher', incarnation: 0 };

/** The line of one process. */
export function nodeLine(
  node: SimNode,
  event: LogEventName,
  lamport: number,
  fields: LogFields,
  at: Nanos,
): SimLogLine {
  return lineOf({ core: peerName(node.id), incarnation: node.incarnation }, event, node.logSeq, lamport, fields, at);
}

/**
 * The log of faults. In a real cluster it is written by the launcher and by the cores on which a rule is in force, here
 * by one writer, `launcher`. Reading the faults changes nothing that the simulated cores see.
 */
export class FaultLog {
  private seq = 0;

  constructor(
    private readonly faults: FaultEngine,
    private readonly write: (line: SimLogLine) => void,
  ) {}

  /** A plan's fault begins. `healed` reports heals. */
  began(action: SimFault, now: Nanos): void {
    this.expired(now);
    if (action.type === 'rule') this.applied(action.rule.id, describeRule(action.rule), now);
    else if (action.type === 'restart') for (const core of action.cores) this.ended(`crash:${core}`, now);
    else if ('cores' in action) {
      for (const core of action.cores) this.applied(`${action.type}:${core}`, `${action.type} ${core}`, now);
    } else if (action.type === 'skb_loss') this.applied('crash:skb', 'crash skb', now);
    else if (action.type === 'reset') this.applied(`reset:${action.from}-${action.to}`, describeReset(action), now);
  }

  /** Ends rules in the engine, and logs which ended. */
  heal(target: HealTarget, now: Nanos): void {
    const before = this.faults.rules(now);
    const ids = this.faults.heal(target, now);
    for (const { rule, counters } of before) if (ids.includes(rule.id)) this.ended(rule.id, now, counters.frames);
  }

  /** A fault of a process is over. */
  ended(rule: string, now: Nanos, affected = 0): void {
    this.line('fault_healed', { rule, affected }, now);
  }

  /** Logs the rules that have expired since the last call. */
  expired(now: Nanos): void {
    for (const { rule, counters } of this.faults.takeExpired(now)) this.ended(rule.id, now, counters.frames);
  }

  private applied(rule: string, text: string, now: Nanos): void {
    this.line('fault_applied', { rule, text }, now);
  }

  private line(event: LogEventName, fields: LogFields, now: Nanos): void {
    this.seq += 1;
    this.write(lineOf(LAUNCHER, event, this.seq, 0, fields, now));
  }
}

function describeReset({ from, to }: Extract<SimFault, { type: 'reset' }>): string {
  return `reset of the links between ${from} and ${to}`;
}

function lineOf(
  source: LogSource,
  event: LogEventName,
  seq: number,
  lamport: number,
  fields: LogFields,
  at: Nanos,
): SimLogLine {
  const line = buildLogLine(source, event, seq, lamport, fields);
  return { time: at / 1e6, level: levelOf(event), ...line, msg: messageOf(event) };
}
