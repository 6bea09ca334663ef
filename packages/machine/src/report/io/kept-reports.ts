import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { KEPT_REPORTS } from '../limits.ts';
import { reportHtml, type ReportPicture } from '../report-html.ts';
import { reportText } from '../report-text.ts';
import type { RunReport } from '../run-report.ts';

/** Points to the last run: a symbolic link where the file system has them, else a file with the folder's name. */
const LATEST = 'latest';
const NAMED_BY_TIME = /^\d{4}-\d\d-\d\dT[\d.-]+Z(-\d+)?$/;
const SAME_TIME_MOST = 1000;

/** Where reports are kept by default: `runs` in the current folder. */
export function runsFolder(given: string | null): string {
  const named = process.env['MK_RUNS_DIR'] ?? '';
  return given ?? (named === '' ? 'runs' : named);
}

/** Makes a new folder below `runs` for one run, named after its beginning. Throws the file system's error. */
export function makeRunFolder(runs: string, startedAt: Date): string {
  makeFolder(runs);
  return makeNewFolder(join(runs, startedAt.toISOString().replaceAll(':', '-')));
}

/** Makes a folder that did not exist: `wanted`, or that with a number appended. Throws the file system's error. */
export function makeNewFolder(wanted: string): string {
  for (let again = 1; ; again++) {
    const folder = again === 1 ? wanted : `${wanted}-${again}`;
    try {
      mkdirSync(folder);
      return folder;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || again >= SAME_TIME_MOST) throw error;
    }
  }
}

/** What may accompany a report: files by name, and pictures for its page. */
export interface BesideReport {
  readonly files?: Readonly<Record<string, string>>;
  readonly pictures?: readonly ReportPicture[];
}

/**
 * Writes report.txt, report.json and report.html, and files by name, into an existing folder. Throws the file system's
 * error.
 */
function writeReport(folder: string, report: RunReport, beside: BesideReport = {}): void {
  const files = {
    ...beside.files,
    'report.txt': `${reportText(report, true)}\n`,
    'report.json': `${JSON.stringify(report, null, 1)}\n`,
    'report.html': reportHtml(report, beside.pictures),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

/**
 * Writes a report into a folder that `makeRunFolder` made, points the neighbouring `latest` to it, and removes the
 * oldest such folders beyond the bound. Throws the file system's error.
 */
export function keepReport(folder: string, report: RunReport, beside: BesideReport = {}): void {
  writeReport(folder, report, beside);
  const runs = dirname(folder);
  pointAt(join(runs, LATEST), basename(folder));
  dropOldRuns(runs);
}

/** `makeRunFolder` and `keepReport` in one: the folder, or one line that says why there is none. */
export function keepRun(runs: string, report: RunReport, beside: BesideReport = {}): Result<string, string> {
  return written(runs, '; --runs DIR or MK_RUNS_DIR names another folder', () => {
    const folder = makeRunFolder(runs, new Date(report.started_at));
    keepReport(folder, report, beside);
    return folder;
  });
}

/** Writes a report into the run's own folder, which exists, and returns it; the error is one line. */
export function keptIn(folder: string, report: RunReport, beside: BesideReport = {}): Result<string, string> {
  return written(folder, '', () => {
    writeReport(folder, report, beside);
    return folder;
  });
}

function written(where: string, hint: string, write: () => string): Result<string, string> {
  try {
    return succeed(write());
  } catch (error) {
    return refuse(`the report cannot be kept in ${where} (${codeOf(error) ?? asError(error).message})${hint}`);
  }
}

/**
 * Makes `latest` a link to the neighbouring folder `name`, or a file that holds the name where there are no links.
 * Atomic: readers find the old or the new one. A real folder of that name is somebody else's and stays.
 */
export function pointAt(latest: string, name: string, link: typeof symlinkSync = symlinkSync): void {
  if (lstatSync(latest, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const next = `${latest}.${name}`;
  try {
    link(name, next, 'dir');
  } catch {
    writeFileSync(next, `${name}\n`);
  }
  try {
    renameSync(next, latest);
  } catch {
    rmSync(next, { force: true });
  }
}

/** Removes only folders that `makeRunFolder` named and that hold a report: people keep other things in `runs`, too. */
function dropOldRuns(runs: string): void {
  const names = readdirSync(runs)
    .filter((name) => NAMED_BY_TIME.test(name) && isReport(join(runs, name)))
    .sort();
  for (const name of names.slice(0, -KEPT_REPORTS)) {
    try {
      rmSync(join(runs, name), { recursive: true, force: true });
    } catch {
      // in use, or another user's
    }
  }
}

/** What cannot be examined (a file, another user's folder) is not ours. */
function isReport(folder: string): boolean {
  try {
    return statSync(join(folder, 'report.json')).isFile();
  } catch {
    return false;
  }
}
