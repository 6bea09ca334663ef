import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StateDirectory } from './state-directory.ts';

/** Runs of a detached cluster whose logs are kept; older ones go when a new one starts. */
const KEPT_RUNS = 5;

/** Where the logs of a cluster's last run are, once it is down. */
interface LastRun {
  readonly name: string;
  readonly logDir: string;
}

/** Where a detached cluster logs by default: a folder per run, named after its start. */
export function newRunLogs(name: string, startedAt: Date, state = new StateDirectory()): string {
  return join(runsOf(name, state), startedAt.toISOString().replaceAll(':', '-'));
}

/** Removes the logs of all but the latest runs, including the one that is starting; what cannot be removed stays. */
export function dropOldRuns(name: string, state = new StateDirectory()): void {
  const folder = runsOf(name, state);
  const runs = runsIn(folder).filter((run) => /^\d{4}-/.test(run));
  for (const run of runs.slice(0, -KEPT_RUNS)) {
    try {
      rmSync(join(folder, run), { recursive: true, force: true });
    } catch {
      // another user's, or in use
    }
  }
}

/** Records where a run logs, so that `mkctl logs` finds it after its end. */
export function noteRun({ name, logDir }: LastRun, state = new StateDirectory()): void {
  try {
    for (const other of notedIn(state)) if (runFrom(other, state).length === 0) rmSync(noteOf(other, state));
    writeFileSync(noteOf(name, state), `${logDir}\n`, { mode: 0o600 });
  } catch {
    // the logs exist all the same
  }
}

/** The last run of the cluster of this name, or of any; null when none has left logs. */
export function lastRun(name: string | undefined, state = new StateDirectory()): LastRun | null {
  const names = name === undefined ? notedIn(state) : [name];
  const found = names.flatMap((each) => runFrom(each, state));
  const [last] = found.toSorted((a, b) => b.notedMs - a.notedMs);
  return last === undefined ? null : { name: last.name, logDir: last.logDir };
}

const NOTE = '.last-logs';

function noteOf(name: string, state: StateDirectory): string {
  return join(state.path, `${name}${NOTE}`);
}

function runsOf(name: string, state: StateDirectory): string {
  return join(state.path, `${name}.logs`);
}

function notedIn(state: StateDirectory): string[] {
  return runsIn(state.path)
    .filter((file) => file.endsWith(NOTE))
    .map((file) => file.slice(0, -NOTE.length));
}

function runFrom(name: string, state: StateDirectory): readonly (LastRun & { readonly notedMs: number })[] {
  try {
    const file = noteOf(name, state);
    const logDir = readFileSync(file, 'utf8').trim();
    return statSync(logDir).isDirectory() ? [{ name, logDir, notedMs: statSync(file).mtimeMs }] : [];
  } catch {
    return [];
  }
}

function runsIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
