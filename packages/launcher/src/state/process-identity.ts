import { readFileSync } from 'node:fs';

/** A process that can be told from a later one that was given the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot, as Linux tells it; null where the system does not. */
  readonly startedTicks: string | null;
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startedTicks: statOf(pid)?.startedTicks ?? null };
}

/** Whether exactly this process still runs (a zombie does not). */
export function isRunning({ pid, startedTicks }: ProcessIdentity): boolean {
  if (pid <= 1) return false; // never started; and to kill, such a number means many processes
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const stat = statOf(pid);
  if (stat === null) return startedTicks === null;
  return stat.state !== 'Z' && (startedTicks === null || stat.startedTicks === startedTicks);
}

/** Sends a signal to exactly this process; false when it runs no more. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    return process.kill(identity.pid, name);
  } catch {
    return false;
  }
}

/** Fields 3 and 22 of /proc/PID/stat; the second field may itself hold blanks and brackets. */
function statOf(pid: number): { readonly state: string; readonly startedTicks: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, startedTicks: fields[19]! };
  } catch {
    return null;
  }
}
