/** Converts between rows of the journal's tables and changes. An unreadable row costs only itself. Pure. */
import { isListOf, isRecord, isText, isWhole } from '@mk/monitor-proto/guards';
import { sequenceOf } from '@mk/monitor-proto/octopus/names';
import { parseKeptRecord } from '@mk/monitor-proto/octopus/record';
import { OCTOPUS_ERRORS } from '@mk/monitor-proto/octopus/requests';
import { isKeyOf } from '@mk/monitor-proto/tables';
import type { Fact } from '../facts/fact.ts';
import { factText } from '../facts/fact.ts';
import type { KeptAnswers } from '../octopus/answers.ts';
import type { OctopusChange } from '../octopus/change.ts';
import { FLOOR } from '../octopus/counters.ts';
import { factJson, factOfJson, type JournalChange, type JournalContents } from './changes.ts';
import { keptText, textOfKept } from './kept-text.ts';

type Column = string | number | bigint | Uint8Array | null;
export type Row = { readonly [column: string]: Column };
type Values = (string | number | null)[];

/** No store counts this far in its life; a number above it leaves fewer than 10¹⁴ of a sequence's fifteen digits. */
const MOST_COUNTED = 900_000_000_000_000;

/** A row that cannot be read, and why. */
export interface BadRow {
  readonly table: TableName;
  /** Its place in its table, from 0. */
  readonly index: number;
  readonly row: Row;
  readonly reason: string;
}

export const TABLES = {
  counters: { columns: 'name TEXT PRIMARY KEY, value INTEGER NOT NULL', key: ['name'] },
  records: { columns: 'name TEXT PRIMARY KEY, text TEXT NOT NULL, owner TEXT', key: ['name'] },
  answers: {
    columns: 'client TEXT, last INTEGER, replies TEXT NOT NULL, PRIMARY KEY (client, last)',
    key: ['client', 'last'],
  },
  facts: { columns: 'text TEXT PRIMARY KEY, json TEXT NOT NULL', key: ['text'] },
  rules: { columns: 'name TEXT PRIMARY KEY, text TEXT NOT NULL', key: ['name'] },
} as const;

export type TableName = keyof typeof TABLES;

export const VALUES: {
  readonly [T in JournalChange['type']]: (change: Extract<JournalChange, { type: T }>) => Values;
} = {
  put: ({ name, text, owner }) => [keptText(name), keptText(text), owner === undefined ? null : keptText(owner)],
  remove: ({ name }) => [keptText(name)],
  counter: ({ name, value }) => [keptText(name), value],
  counter_remove: ({ name }) => [keptText(name)],
  answers_put: ({ client, last, replies }) => [keptText(client), last, JSON.stringify(replies)],
  answers_forget: ({ client, below }) => [keptText(client), below],
  fact_put: ({ text, fact }) => [keptText(text), factJson(fact)],
  fact_remove: ({ text }) => [keptText(text)],
  rules_put: ({ name, text }) => [keptText(name), keptText(text)],
  rules_remove: ({ name }) => [keptText(name)],
};

/** The contents of the tables, the unreadable rows, and changes to keep in their place. */
export function readRows(rowsOf: (table: TableName) => readonly Row[]): {
  readonly contents: JournalContents;
  readonly bad: readonly BadRow[];
  readonly instead: readonly JournalChange[];
} {
  const bad: BadRow[] = [];
  const all = <T>(table: TableName, decode: (row: Row) => T): T[] => {
    const read: T[] = [];
    for (const [index, row] of rowsOf(table).entries()) {
      try {
        read.push(decode(row));
      } catch (error) {
        bad.push({ table, index, row, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    return read;
  };
  const counters = all('counters', counterOf);
  const puts = all('records', recordOf);
  const instead = bad.some(({ table }) => table === 'counters') ? [floorOver([...counters, ...puts])] : [];
  const contents = {
    octopus: [...counters, ...instead, ...puts],
    answers: all('answers', answersOf),
    facts: all('facts', factOf),
    rules: all('rules', (row) => ({ name: text(row, 'name'), text: text(row, 'text') })),
  };
  return { contents, bad, instead };
}

/**
 * A lost counter must not restart at 1, below numbers that somebody holds: all go on above the highest visible (O4).
 */
function floorOver(changes: readonly OctopusChange[]): Extract<OctopusChange, { type: 'counter' }> {
  let value = 0;
  for (const change of changes) {
    const number = change.type === 'counter' ? change.value : (sequenceOf(change.name)?.number ?? 0);
    if (number <= MOST_COUNTED) value = Math.max(value, number);
  }
  return { type: 'counter', name: FLOOR, value };
}

function counterOf(row: Row): OctopusChange {
  const value = whole(row, 'value');
  if (value < 0 || value > MOST_COUNTED) throw new TypeError('nobody has counted so far');
  return { type: 'counter', name: text(row, 'name'), value };
}

function recordOf(row: Row): OctopusChange {
  const [name, record] = [text(row, 'name'), text(row, 'text')];
  const parsed = parseKeptRecord(record);
  if (parsed.name.kind !== 'is' || parsed.name.name !== name) throw new TypeError('the text is of another record');
  if (parsed.constraints.length > 0) throw new TypeError('the text is a query');
  return { type: 'put', name, text: record, ...(row['owner'] === null ? {} : { owner: text(row, 'owner') }) };
}

function answersOf(row: Row): KeptAnswers {
  const replies: unknown = JSON.parse(plain(row, 'replies'));
  if (!Array.isArray(replies) || !replies.every(isAnswer)) throw new TypeError('they are not answers');
  return { client: text(row, 'client'), last: whole(row, 'last'), replies };
}

function isAnswer(value: unknown): value is KeptAnswers['replies'][number] {
  return Array.isArray(value) && value.length === 2 && isWhole(value[0]) && isReply(value[1]);
}

function isReply(reply: unknown): boolean {
  if (!isRecord(reply) || typeof reply['installed'] !== 'boolean') return false;
  const { ok, record, names, error, detail } = reply;
  if (ok === true) return (record === undefined || isText(record)) && (names === undefined || isListOf(names, isText));
  return ok === false && isText(error) && isKeyOf(OCTOPUS_ERRORS, error) && isText(detail);
}

function factOf(row: Row): Fact {
  const fact = factOfJson(plain(row, 'json'));
  if (factText(fact) !== text(row, 'text')) throw new TypeError('the text is of another fact');
  return fact;
}

function text(row: Row, column: string): string {
  return textOfKept(plain(row, column));
}

function plain(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`column ${column} is not text`);
  return value;
}

function whole(row: Row, column: string): number {
  const value = row[column];
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number))
    throw new TypeError(`column ${column} is not a whole number`);
  return number;
}
