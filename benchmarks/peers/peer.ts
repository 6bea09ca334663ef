import { type ChildProcess, spawnSync } from 'node:child_process';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** What is compared. */
export type Measure = 'trip' | 'round' | 'twoPhases' | 'revoke';

/** One way of a peer to do what is compared: `run` gives the median of many, in nanoseconds. */
export interface Way {
  readonly of: Measure;
  readonly title: string;
  run(): Promise<number>;
}

/** Another system as a cluster of processes of its own. */
export interface Peer {
  readonly bootMs: number;
  readonly ways: readonly Way[];
  stop(): Promise<void>;
}

export interface PeerKind {
  readonly name: string;
  readonly program: string;
  /** The package of Debian that has the program. */
  readonly debian: string;
  /** What is there once it has booted. */
  readonly booted: string;
  start(members: number): Promise<Peer>;
}

export const PAYLOAD_BYTES = 64;
/** Trips by message, and rounds over all members, in one median. */
export const COUNTS = { trip: 2000, round: 200, revoke: 20 } as const;

export function isInstalled({ program }: PeerKind): boolean {
  return spawnSync('which', [program]).status === 0;
}

/** A port of this host that nobody used a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when somebody listens at the port. */
export async function listening(port: number): Promise<void> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => (socket.destroy(), resolve(true))).once('error', () => resolve(false));
    });
    if (isOpen) return;
    await pause(5);
  }
}

const started = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

/** The process ends with this one, whatever happens. */
export function tethered<T extends ChildProcess>(child: T): T {
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

/** Ends processes that keep nothing; resolves when they are gone. */
export async function killed(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(
      (child) =>
        new Promise<void>((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null) return resolve();
          child.once('exit', () => resolve());
          child.kill('SIGKILL');
        }),
    ),
  );
}
