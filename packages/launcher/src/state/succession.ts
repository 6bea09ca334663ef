/*
 * What a detached cluster's supervisor leaves to its successor, should it be killed, and who that is (decision 0172).
 *
 *   SU1  at most one running process is the heir of a supervisor that is gone;
 *   SU2  nobody becomes the heir of a supervisor that runs, or that another process has succeeded.
 *
 * The heir of a process is whoever made the file named after that process. Files of heirs that died before they
 * recorded the cluster as theirs stay, and the next one becomes the heir of the last of them: no file is ever removed
 * that somebody may yet make.
 */
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type ClusterRecord, readRecord } from '@mk/libmk/io/cluster-record';
import { identityOf, isRunning, type ProcessIdentity } from '@mk/libmk/io/process-identity';
import { isRecord } from '@mk/monitor-proto/guards';
import { codeOf } from '@mk/monitor-proto/thrown';
import type { ClusterConfig } from '../boot/cluster-config.ts';
import { CommandError } from '../cli/usage-error.ts';

/** Everything needed to start more processes of a cluster. */
export interface Handover {
  /** With the authority's key, if the cluster makes its own certificates: as secret as the secret in it. */
  readonly config: ClusterConfig;
  /** How often the cluster was taken over. */
  readonly takeovers: number;
  /** Cores that were ever started, 0 … n − 1: records omit those that have ended. */
  readonly cores: number;
}

const HANDOVER = z.strictObject({
  config: z.custom<ClusterConfig>(
    (value) => isRecord(value) && typeof value['secret'] === 'string' && value['detached'] === true,
  ),
  takeovers: z.int().min(0),
  cores: z.int().min(0),
});

const HEIR = z.strictObject({ pid: z.int(), startedTicks: z.string().nullable() });

/** Writes it for the next supervisor, readable by its owner only. */
export function writeHandover(folder: string, handover: Handover): void {
  const file = handoverOf(folder, handover.config.name);
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, JSON.stringify(handover), { mode: 0o600 });
  renameSync(draft, file);
}

/** What this cluster's supervisor has left; null: nothing that fits the record. */
export function readHandover(folder: string, { name, secret }: ClusterRecord): Handover | null {
  try {
    const read = HANDOVER.parse(JSON.parse(readFileSync(handoverOf(folder, name), 'utf8')));
    return read.config.secret === secret ? read : null;
  } catch {
    return null;
  }
}

/** Removes it all: the cluster has ended. */
export function forgetSuccession(folder: string, name: string): void {
  rmSync(handoverOf(folder, name), { force: true });
  forgetHeirs(folder, name);
}

/**
 * Makes this process the heir of the record's supervisor; throws a CommandError if that one runs, or if somebody else
 * is its heir.
 */
export function succeed(folder: string, record: ClusterRecord, pid = process.pid): void {
  const { name, supervisor } = record;
  refuseWhileSupervised(record);
  const draft = join(folder, `.${name}.${pid}.heir.draft`);
  writeFileSync(draft, JSON.stringify(identityOf(pid)), { mode: 0o600 });
  try {
    claim(folder, name, supervisor, draft);
  } finally {
    rmSync(draft, { force: true });
  }
  // A latecomer has remade a file that was already removed: the record shows it.
  const now = readRecord(join(folder, `${name}.json`));
  if (now !== null && isSame(now.supervisor, supervisor)) return;
  if (now !== null) refuseWhileSupervised(now);
  throw new CommandError(`cluster ${name} was taken over, or ended, by somebody else just now; see mkctl ps`);
}

/** The record names its new supervisor, or the cluster is gone: nobody is an heir any more. */
export function forgetHeirs(folder: string, name: string): void {
  const prefix = `${name}.heir-`;
  for (const file of filesIn(folder))
    if (file.startsWith(prefix) && /^\d+-\d*$/.test(file.slice(prefix.length)))
      rmSync(join(folder, file), { force: true });
}

/** Makes the file that names the heir of the last in line. */
function claim(folder: string, name: string, supervisor: ProcessIdentity, draft: string): void {
  let last = supervisor;
  for (;;) {
    const file = heirOf(folder, name, last);
    try {
      linkSync(draft, file);
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const heir = readHeir(file);
    if (heir === null) continue; // gone meanwhile: its maker has succeeded
    if (isRunning(heir)) throw new CommandError(`cluster ${name} is being taken over by process ${heir.pid}`);
    last = heir;
  }
}

function refuseWhileSupervised({ name, supervisor }: ClusterRecord): void {
  if (!isRunning(supervisor)) return;
  throw new CommandError(
    `cluster ${name} has a supervisor that runs (pid ${supervisor.pid}); there is nothing to take over`,
  );
}

function readHeir(file: string): ProcessIdentity | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  return HEIR.parse(JSON.parse(text)); // it was linked only when whole
}

function isSame(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startedTicks === b.startedTicks;
}

function handoverOf(folder: string, name: string): string {
  return join(folder, `${name}.handover`);
}

function heirOf(folder: string, name: string, { pid, startedTicks }: ProcessIdentity): string {
  return join(folder, `${name}.heir-${pid}-${startedTicks ?? ''}`);
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
