/*
 * The CPU time of threads and processes, as Linux counts it (proc_pid_stat(5), proc_pid_schedstat(5)).
 */
import { readFileSync } from 'node:fs';
import type { Nanos } from '@mk/monitor-proto/ids';

/** `stat` counts in ticks of this length, whatever the kernel's own. */
const TICK: Nanos = 10_000_000;
/** Places of utime and stime behind the command's name, which may hold spaces and parentheses. */
const USER = 11;
const SYSTEM = 12;

/**
 * The CPU time of all threads of this process but the main one, ns: Node cannot tell it of a single worker, so this
 * bounds each of them from above.
 */
export function cpuNsOfWorkers(): Nanos {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000 - cpuNsOfMainThread();
}

/** The CPU time of another process, ns; null: it is gone, or this is not Linux. */
export function cpuNsOfProcess(pid: number): Nanos | null {
  const text = textOf(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[USER]) + Number(fields[SYSTEM]);
  return Number.isNaN(ticks) ? null : ticks * TICK;
}

/** 0 where it cannot be told. */
function cpuNsOfMainThread(): Nanos {
  const ns = Number(textOf(`/proc/self/task/${process.pid}/schedstat`).split(' ')[0]);
  return Number.isNaN(ns) ? 0 : ns;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
