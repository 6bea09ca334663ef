import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtProgram } from './built-programs.ts';

/** How a program ended and what it said. What it was waiting for stands apart: a slow host makes it say more of that. */
export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly waitedFor: readonly string[];
}

const WAITING = /^mkctl: waiting for .*\n/gm;

/** A core that hangs for longer than its lease is no member any more; between hang and heal lie the starts of several commands. */
export const PATIENT = ['--lease', '5m'] as const;

/** What a command said on stderr but for whom it was waiting: how much of that it says is the host's affair. */
export function withoutWaiting(stderr: string): string {
  return stderr.replaceAll(WAITING, '');
}

export interface ReadyMessage {
  readonly cores: number;
  readonly links: number;
  readonly supervisor: { readonly pid: number };
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly address: string }[];
}

/** A program that runs, with what it has said so far. */
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

  /** The JSON line of this type, once it is there; rejects when the program ends without it. */
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
 * A place for one test's clusters: a state directory of its own, which is also how their processes are told from
 * everybody else's. `cleanUp` ends whatever is left.
 */
export class ClusterPlace {
  readonly state = mkdtempSync(join(tmpdir(), 'mk-test-'));
  private readonly running: Running[] = [];

  /** Starts `mk-launch` with `--json`. */
  launch(...args: string[]): Running {
    return this.start('mk-launch.cjs', [...args, '--json']);
  }

  /** Starts `mk-launch` with a lease that outlasts a hang on a slow host, and waits until it is ready. */
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

  /** Starts a program of dist/. */
  start(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    state = this.state,
  ): Running {
    // What the tests themselves are told by MK_… variables is none of the programs' business.
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MK_')));
    const env = { ...inherited, NO_COLOR: '1', MK_RUNS_DIR: join(state, 'runs'), ...environment, MK_STATE_DIR: state };
    const running = new Running(
      spawn(process.execPath, [builtProgram(program), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    this.running.push(running);
    return running;
  }

  /** What is written down of a cluster; null when nothing is. */
  record(name = 'mk'): (ReadyMessage & { readonly secret: string }) | null {
    try {
      return JSON.parse(readFileSync(join(this.state, `${name}.json`), 'utf8')) as ReadyMessage & { secret: string };
    } catch {
      return null;
    }
  }

  /** The processes that were started here, directly or not, and still run. */
  processes(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && this.isOurs(name))
      .map(Number);
  }

  /** Interrupts a launcher, waits for its end, and cleans up; its status, and the processes that it left. */
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

/** Resolves when the condition holds; rejects after the time, saying what was waited for. */
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

/** Below the ports that systems give out by themselves: nobody comes upon one by chance. */
const FIRST_PORT = 10_240;
const PORTS = 20_000;
let nextPort = (process.pid * 31) % PORTS;

/** A port that nobody listens on just now, and that no connection of anybody will be given. */
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
