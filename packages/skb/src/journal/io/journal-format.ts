/**
 * A journal names itself and its format where SQLite provides for it: in `application_id` and `user_version`. Neither
 * the journal of a later mk nor another program's database is read or changed.
 */
import type { Database } from 'node-sqlite3-wasm';
import { TABLES } from '../rows.ts';

/** Raised when an earlier mk would misread what this one writes. */
const JOURNAL_FORMAT = 1;
/** `mkjn`. */
const APPLICATION = 0x6d6b_6a6e;
/** The offsets of both in the header of an SQLite file, big-endian (its file format, §1.3). */
const [VERSION_AT, APPLICATION_AT] = [60, 68];
export const HEAD_BYTES = 100;

/** Why a file with this head is not a journal of ours; null if it may be one. */
export function faultOfHead(head: Buffer): string | null {
  return faultOf(head.readUInt32BE(APPLICATION_AT), head.readUInt32BE(VERSION_AT));
}

/** Throws when this mk cannot read the database as a journal; marks a new one, and one older than the marks. */
export function claimFormat(db: Database): void {
  const [application, format] = [numberOf(db, 'application_id'), numberOf(db, 'user_version')];
  const fault = faultOf(application, format) ?? (application === APPLICATION ? null : faultOfTables(db));
  if (fault !== null) throw new Error(fault);
  if (application === APPLICATION) return;
  db.exec(`PRAGMA application_id = ${APPLICATION}`);
  db.exec(`PRAGMA user_version = ${JOURNAL_FORMAT}`);
}

function faultOf(application: number, format: number): string | null {
  if (application !== 0 && application !== APPLICATION) return FOREIGN;
  if (format <= JOURNAL_FORMAT) return null;
  return application === 0
    ? FOREIGN
    : `a later mk wrote it (format ${format}; this one reads ${JOURNAL_FORMAT}): start that mk again`;
}

const FOREIGN = 'it is the database of another program';

/** An unmarked database with tables is an early journal, if the tables are ours. */
function faultOfTables(db: Database): string | null {
  const tables = db.all("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => name);
  return tables.length === 0 || Object.keys(TABLES).some((table) => tables.includes(table)) ? null : FOREIGN;
}

function numberOf(db: Database, pragma: string): number {
  return Number(db.get(`PRAGMA ${pragma}`)?.[pragma]);
}
