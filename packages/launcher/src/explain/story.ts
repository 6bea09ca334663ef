import { known } from '@mk/monitor-proto/assert';
import type { parseLine } from '../display/log-printer.ts';

type LogLine = NonNullable<ReturnType<typeof parseLine>>;

/** A message of the operation. Times in milliseconds of the log. */
export interface Said {
  readonly from: string;
  readonly to: string;
  readonly message: string;
  readonly sentMs: number;
  /** Null: the logs hold no end of it. */
  readonly deliveredMs: number | null;
  /** Whether the receiver's log tells of that time: without, nobody knows whether the message arrived. */
  readonly isWitnessed: boolean;
  readonly lamport: number;
}

/** Another event of a process. */
interface Told {
  readonly who: string;
  readonly atMs: number;
  readonly lamport: number;
  readonly text: string;
}

/** Why the operation took long, worst first. */
interface Slow {
  readonly ms: number;
  readonly text: string;
}

/** One operation, as the logs report it. */
export interface Story {
  readonly op: string;
  /** Who took part, the initiator first. */
  readonly who: readonly string[];
  readonly said: readonly Said[];
  readonly told: readonly Told[];
  readonly slow: readonly Slow[];
  /** How it ended: `ok`, an error, or null if no line tells. */
  readonly result: string | null;
  readonly elapsedUs: number | null;
  /** Faults in force meanwhile. */
  readonly faults: readonly string[];
  readonly startMs: number;
}

/** From when on each process's log tells of messages, in milliseconds of the log. */
export type Witnesses = ReadonlyMap<string, number>;

/** The story of an operation; null if no line mentions it. */
export function storyOf(op: string, lines: readonly LogLine[], witnesses: Witnesses): Story | null {
  const own = lines
    .filter((line) => line['op'] === op)
    .toSorted((a, b) => lamportOf(a) - lamportOf(b) || a.time - b.time);
  if (own.length === 0) return null;
  const said = messagesIn(own, witnesses);
  const told = own.flatMap((line): Told[] =>
    line.event.startsWith('message_')
      ? []
      : [{ who: nameOf(line.core), atMs: line.time, lamport: lamportOf(line), text: textOf(line) }],
  );
  const end = own.findLast(({ elapsed_us: elapsed }) => typeof elapsed === 'number');
  const initiator = nameOf(Number(op.split('.')[0]));
  const others = new Set([...said.flatMap(({ from, to }) => [from, to]), ...told.map(({ who }) => who)]);
  others.delete(initiator);
  const times = own.map(({ time }) => time).sort((a, b) => a - b);
  const [startMs, endMs] = [known(times[0]), known(times.at(-1))];
  return {
    op,
    who: [initiator, ...[...others].sort(byNumber)],
    said,
    told,
    slow: slowParts(said),
    result: typeof end?.['result'] === 'string' ? end['result'] : null,
    elapsedUs: typeof end?.['elapsed_us'] === 'number' ? end['elapsed_us'] : null,
    faults: faultsDuring(lines, startMs, endMs),
    startMs,
  };
}

/** Both ends of a message are logged by channel, lane and number. */
function messagesIn(lines: readonly LogLine[], witnesses: Witnesses): readonly Said[] {
  const keyOf = (line: LogLine): string =>
    `${String(line['channel'])} ${String(line['lane'])} ${String(line['number'])}`;
  const delivered = new Map(
    lines.filter(({ event }) => event === 'message_delivered').map((line) => [keyOf(line), line.time] as const),
  );
  return lines
    .filter(({ event }) => event === 'message_sent')
    .map((line) => ({
      from: nameOf(line.core),
      to: nameOf(line['peer']),
      message: String(line['message']),
      sentMs: line.time,
      deliveredMs: delivered.get(keyOf(line)) ?? null,
      isWitnessed: (witnesses.get(nameOf(line['peer'])) ?? Infinity) <= line.time,
      lamport: lamportOf(line),
    }));
}

/** Transfers and pauses: how long a message was under way, and how long a process took to answer a request. */
function slowParts(said: readonly Said[]): readonly Slow[] {
  const ways = said.flatMap(({ from, to, message, sentMs, deliveredMs, isWitnessed }): Slow[] => {
    if (deliveredMs === null)
      return isWitnessed ? [{ ms: Infinity, text: `${message} from ${from} never reached ${to}` }] : [];
    return [{ ms: deliveredMs - sentMs, text: `${message} on its way from ${from} to ${to}` }];
  });
  const pauses = said.flatMap((reply): Slow[] => {
    if (!reply.message.endsWith('_reply')) return [];
    const request = said.findLast(
      ({ to, from, deliveredMs, lamport }) =>
        to === reply.from && from === reply.to && deliveredMs !== null && lamport < reply.lamport,
    );
    if (request === undefined || request.deliveredMs === null) return [];
    const ms = reply.sentMs - request.deliveredMs;
    return [{ ms, text: `${reply.from} before it answered ${request.message}` }];
  });
  return [...ways, ...pauses].filter(({ ms }) => ms > 0).toSorted((a, b) => b.ms - a.ms);
}

function faultsDuring(lines: readonly LogLine[], fromMs: number, toMs: number): readonly string[] {
  const open = new Map<string, { readonly text: string; readonly from: number }>();
  const during = new Set<string>();
  for (const line of lines.toSorted((a, b) => a.time - b.time)) {
    const rule = String(line['rule']);
    if (line.event === 'fault_applied') open.set(rule, { text: String(line['text']), from: line.time });
    else if (line.event === 'fault_healed') {
      const fault = open.get(rule);
      if (fault !== undefined && fault.from <= toMs && line.time >= fromMs) during.add(fault.text);
      open.delete(rule);
    }
  }
  for (const { text, from } of open.values()) if (from <= toMs) during.add(text);
  return [...during];
}

const COMMON = new Set(['v', 'time', 'level', 'event', 'core', 'incarnation', 'seq', 'lamport', 'msg', 'op']);

function textOf(line: LogLine): string {
  const fields = Object.entries(line).filter(([name]) => !COMMON.has(name));
  const shown = fields.map(
    ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return [line.event, ...shown].join(' ');
}

function lamportOf(line: LogLine): number {
  return Number(line['lamport']);
}

/** A process, as stories name it. */
export function nameOf(who: unknown): string {
  return typeof who === 'number' ? `core ${who}` : String(who);
}

function byNumber(a: string, b: string): number {
  return Number(a.split(' ')[1] ?? Infinity) - Number(b.split(' ')[1] ?? Infinity) || a.localeCompare(b);
}
