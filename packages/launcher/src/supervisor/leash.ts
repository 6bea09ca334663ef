import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Wakes a stopped process when the process that stopped it dies. A core ends by itself when its launcher is gone, but
 * one under SIGSTOP cannot notice: without the leash a SIGKILL of the launcher would leave it behind for ever.
 *
 * A shell waits for the end of its input. The kernel closes that pipe however we end.
 */
export class Leash {
  private readonly holder: ChildProcess;

  constructor(pid: number) {
    this.holder = spawn('/bin/sh', ['-c', `read -r line; [ "$line" = free ] || kill -CONT ${pid}`], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.holder.on('error', () => undefined); // no shell: the process stays stopped, and we lose nothing but this
    this.holder.stdin?.on('error', () => undefined);
    this.holder.unref();
  }

  /** The process runs again, or is gone. */
  release(): void {
    this.holder.stdin?.end('free\n');
  }
}
