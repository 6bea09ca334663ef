import { type ChildProcess, spawn } from 'node:child_process';
import type { ProcessIdentity } from '@mk/libmk/io/process-identity';

/**
 * Wakes a stopped process when the process that stopped it dies. A core ends by itself when its launcher is gone, but
 * one under SIGSTOP cannot notice: without the leash a SIGKILL of the launcher would leave it behind for ever.
 *
 * A shell waits for the end of its input; the kernel closes that pipe, however this process ends.
 */
export class Leash {
  private readonly holder: ChildProcess | null;

  constructor(identity: ProcessIdentity) {
    this.holder = startHolder(identity);
  }

  /** The process runs again, or is gone. */
  release(): void {
    this.holder?.stdin?.end('free\n');
  }
}

/** Null if the system starts no shell: should we be killed, the process stays stopped, and nothing else is lost. */
function startHolder({ pid, startedTicks }: ProcessIdentity): ChildProcess | null {
  try {
    const holder = spawn('/bin/sh', ['-c', HOLDER, 'mk-leash', String(pid), startedTicks ?? ''], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    });
    holder.on('error', () => undefined);
    holder.stdin?.on('error', () => undefined);
    holder.unref();
    return holder;
  } catch {
    return null;
  }
}

/** $1 is the process, $2 its start time: field 22 of its stat line, the twentieth behind the name in brackets. */
const HOLDER = `read -r line
[ "$line" = free ] && exit
read -r stat <"/proc/$1/stat" || exit
set -- "$1" "$2" \${stat##*) }
[ "\${22}" = "$2" ] && kill -CONT "$1"`;
