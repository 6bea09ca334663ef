import { known } from '@mk/monitor-proto/assert';
import { readFileSync } from 'node:fs';

/** Distinguishes a process from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot, from Linux; null where unknown. */
  readonly startedTicks: string | null;
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startedTicks: statOf(pid)?.startedTicks ?? null };
}

/**
 * Whether exactly this process still runs (a zombie does not). A number alone is no proof: where the system reports
 * start times, a process with an unknown start time counts as gone, and so does one that the system hides from this
 * user.
 */
export function isRunning({ pid, startedTicks }: ProcessIdentity): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) return false; // never started; kill(2) takes it for many processes
  const stat = statOf(pid);
  if (stat !== null) return stat.state !== 'Z' && stat.startedTicks === startedTicks;
  return startedTicks === null && !tellsStartTimes() && existsForSignals(pid);
}

/** Sends a signal to exactly this process; false if it has ended. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    return process.kill(identity.pid, name);
  } catch {
    return false;
  }
}

/** Identifies the current boot of this host, from which start times count; null if the system does not. */
export function bootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}

function tellsStartTimes(): boolean {
  return statOf(process.pid) !== null;
}

/** The fallback without /proc: a process of another user is not one that we started. */
function existsForSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Fields 3 and 22 of /proc/PID/stat; the second field may contain blanks and brackets. */
function statOf(pid: number): { readonly state: string; readonly startedTicks: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: known(fields[0]), startedTicks: known(fields[19]) };
  } catch {
    return null;
  }
}
