/*
 * What a detached cluster's supervisor leaves to the one that takes over when it is killed, and who that is (decision 0172).
 *
 *   SU1  of a supervisor that is gone at most one running process is the heir;
 *   SU2  nobody becomes the heir of a supervisor that runs, or that somebody else has followed.
 *
 * The heir of a process has made the file that is named after it. Files of heirs that died before they had written down the cluster
 * as theirs stay, so that the next one is the heir of the last of them: no file is ever removed that somebody may yet make.
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

/** All that is needed to start more processes of a cluster. */
export interface Handover {
  /** With the authority's key, where the cluster makes its own certificates: as secret as the secret in it. */
  readonly config: ClusterConfig;
  /** How often the cluster was taken over. */
  readonly takeovers: number;
  /** Cores that were ever started, 0 … n − 1: one that has ended is in no record. */
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

/** Leaves it for the next supervisor, readable by its owner only. */
export function writeHandover(folder: string, handover: Handover): void {
  const file = handoverOf(folder, handover.config.name);
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, JSON.stringify(handover), { mode: 0o600 });
  renameSync(draft, file);
}

/** What the supervisor of this cluster has left; null: nothing that fits the record. */
export function readHandover(folder: string, { name, secret }: ClusterRecord): Handover | null {
  try {
    const read = HANDOVER.parse(JSON.parse(readFileSync(handoverOf(folder, name), 'utf8')));
    return read.config.secret === secret ? read : null;
  } catch {
    return null;
  }
}

/** The cluster has ended. */
export function forgetSuccession(folder: string, name: string): void {
  rmSync(handoverOf(folder, name), { force: true });
  forgetHeirs(folder, name);
}

/** Makes this process the heir of the record's supervisor; a CommandError when that one runs, or somebody else is. */
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
  // Whoever was late has made a file that was removed already: the record tells.
  const now = readRecord(join(folder, `${name}.json`));
  if (now !== null && isSame(now.supervisor, supervisor)) return;
  if (now !== null) refuseWhileSupervised(now);
  throw new CommandError(`cluster ${name} was taken over, or ended, by somebody else just now; mkctl ps tells`);
}

/** The record names its new supervisor, or the cluster is no more: nobody is an heir now. */
export function forgetHeirs(folder: string, name: string): void {
  const prefix = `${name}.heir-`;
  for (const file of filesIn(folder))
    if (file.startsWith(prefix) && /^\d+-\d*$/.test(file.slice(prefix.length)))
      rmSync(join(folder, file), { force: true });
}

/** Makes the file of the heir of the last in line. */
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
    if (heir === null) continue; // gone meanwhile: its maker has followed
    if (isRunning(heir)) throw new CommandError(`cluster ${name} is being taken over by process ${heir.pid} just now`);
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
  return HEIR.parse(JSON.parse(text)); // it was linked whole
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
