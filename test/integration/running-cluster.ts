import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtProgram } from './built-programs.ts';

/** How a program ended and what it printed. Lines about waiting are separate, since a slow host adds some. */
export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly waitedFor: readonly string[];
}

const WAITING = /^mkctl: waiting for .*\n/gm;

/** A core that hangs for longer than its lease leaves the view, and several commands start between hang and heal. */
export const PATIENT = ['--lease', '5m'] as const;

/** A command's stderr without the lines that say whom it waited for: their number depends on the host. */
export function withoutWaiting(stderr: string): string {
  return stderr.replaceAll(WAITING, '');
}

export interface ReadyMessage {
  readonly cores: number;
  readonly links: number;
  readonly supervisor: { readonly pid: number };
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly address: string }[];
}

/** A running program, with its output so far. */
export class Running {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Outcome>;
  private readonly watchers = new Set<() => void>();

  constructor(readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.heard(() => (this.stdout += text)));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.heard(() => (this.stderr += text)));
    this.ended = new Promise((resolve) => {
      child.on('close', (status, signal) => {
        const waitedFor = this.stderr.match(WAITING) ?? [];
        resolve({ status, signal, stdout: this.stdout, stderr: withoutWaiting(this.stderr), waitedFor });
        for (const watcher of this.watchers) watcher();
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** The JSON line of this type, once printed; rejects if the program ends without it. */
  async message<T>(type: string): Promise<T> {
    for (;;) {
      const line = this.stdout.split('\n').find((text) => text.includes(`"type":"${type}"`) && text.endsWith('}'));
      if (line !== undefined) return JSON.parse(line) as T;
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`it ended without saying ${type}: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => {
        const once = (): void => {
          this.watchers.delete(once);
          resolve();
        };
        this.watchers.add(once);
      });
    }
  }

  private heard(note: () => void): void {
    note();
    for (const watcher of [...this.watchers]) watcher();
  }
}

/**
 * A place for one test's clusters: a separate state directory, which also tells their processes from all others.
 * `cleanUp` ends whatever is left.
 */
export class ClusterPlace {
  readonly state = mkdtempSync(join(tmpdir(), 'mk-test-'));
  private readonly running: Running[] = [];

  /** Starts `mk-launch` with `--json`. */
  launch(...args: string[]): Running {
    return this.start('mk-launch.cjs', [...args, '--json']);
  }

  /** Starts `mk-launch` with a lease that outlasts a hang on a slow host; resolves when it is ready. */
  async boot(...args: string[]): Promise<{ readonly launcher: Running; readonly ready: ReadyMessage }> {
    const launcher = this.launch(...(args.includes('--lease') ? args : [...args, ...PATIENT]));
    return { launcher, ready: await launcher.message<ReadyMessage>('ready') };
  }

  /** Runs `mkctl` to its end. */
  mkctl(...args: string[]): Promise<Outcome> {
    return this.start('mkctl.cjs', args).ended;
  }

  /** Runs `mkctl … --json`; its answer. */
  async ask<T>(...args: string[]): Promise<T> {
    const { status, stdout, stderr } = await this.mkctl(...args, '--json');
    if (status !== 0) throw new Error(`mkctl ${args.join(' ')}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Starts a program from dist/. */
  start(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    state = this.state,
  ): Running {
    // MK_… variables for the tests must not reach the programs.
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MK_')));
    const env = { ...inherited, NO_COLOR: '1', MK_RUNS_DIR: join(state, 'runs'), ...environment, MK_STATE_DIR: state };
    const running = new Running(
      spawn(process.execPath, [builtProgram(program), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    this.running.push(running);
    return running;
  }

  /** A cluster's record; null if there is none. */
  record(name = 'mk'): (ReadyMessage & { readonly secret: string }) | null {
    try {
      return JSON.parse(readFileSync(join(this.state, `${name}.json`), 'utf8')) as ReadyMessage & { secret: string };
    } catch {
      return null;
    }
  }

  /** The processes started here, directly or indirectly, that still run. */
  processes(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && this.isOurs(name))
      .map(Number);
  }

  /** Interrupts a launcher, waits for its end, and cleans up; its status, and the processes it left. */
  async end(launcher: Running): Promise<{ readonly status: number | null; readonly left: readonly number[] }> {
    launcher.child.kill('SIGINT');
    const { status } = await launcher.ended;
    const left = this.processes();
    await this.cleanUp();
    return { status, left };
  }

  async cleanUp(): Promise<void> {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has just ended
      }
    }
    await Promise.all(this.running.map(({ ended }) => ended));
    rmSync(this.state, { recursive: true, force: true });
  }

  private isOurs(pid: string): boolean {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`MK_STATE_DIR=${this.state}\0`);
    } catch {
      return false;
    }
  }
}

/** Resolves when the condition holds; after the time limit rejects with what was awaited. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  withinMs = 600_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + withinMs;
  for (;;) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Below the ports that systems assign themselves, so that nobody gets one by chance. */
const FIRST_PORT = 10_240;
const PORTS = 20_000;
let nextPort = (process.pid * 31) % PORTS;

/** A port on which nobody listens now, and that no connection will be assigned. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST_PORT + nextPort;
    nextPort = (nextPort + 1) % PORTS;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, host, () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error(`no port of ${host} is free`);
}
