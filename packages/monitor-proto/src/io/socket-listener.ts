import { lstatSync, renameSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { nextHeartbeat } from '../endpoint/heartbeat.ts';
import { hostClockNs, nowNs } from './clock.ts';
import { makeFolder } from './folder.ts';
import { LONGEST_TIMEOUT_MS } from './long-timer.ts';
import { listenAtSocket } from './unix-socket.ts';

/** How often to check for the socket's file: as often as an idle process looks at the SKB, so that it wakes once. */
const LOOK_EVERY_MS = 5000;

/**
 * Listens at a Unix socket until closed. A socket whose file or folder was deleted is made again; one that another
 * process has put there is left alone. Connections outlive their socket's file.
 */
export class SocketListener {
  private server: Server | null = null;
  /** The file that the server was bound to. The kernel does not reuse its number while the server has it. */
  private file: string | null = null;
  private looking: NodeJS.Timeout | null = null;
  private opening = false;
  private closed = false;

  private constructor(
    private readonly path: string,
    private readonly connected: (socket: Socket) => void,
    private readonly lookEveryMs: number,
  ) {
    this.lookLater();
  }

  /** Rejects with one line that says why the socket cannot be made. */
  static async at(
    path: string,
    connected: (socket: Socket) => void,
    lookEveryMs = LOOK_EVERY_MS,
  ): Promise<SocketListener> {
    const listener = new SocketListener(path, connected, lookEveryMs);
    try {
      await listener.open();
    } catch (error) {
      listener.close();
      throw error;
    }
    return listener;
  }

  close(): void {
    this.closed = true;
    if (this.looking !== null) clearTimeout(this.looking);
    this.leave();
  }

  private async open(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, this.connected);
    await listenAtSocket(server, this.path);
    this.server = server;
    this.file = fileAt(this.path);
    if (this.closed) this.leave(); // meanwhile
  }

  /**
   * Closing a server removes the file at its path, even if it now belongs to another: such a file is moved aside
   * meanwhile.
   */
  private leave(): void {
    const { server, path } = this;
    if (server?.listening !== true) return;
    const there = fileAt(path);
    if (there === null || there === this.file) return void server.close();
    const aside = `${path}.${process.pid}`;
    try {
      renameSync(path, aside);
      server.close();
      renameSync(aside, path);
    } catch {
      server.close(); // without permission to rename in the folder, the server cannot remove the file either
    }
  }

  private lookLater(): void {
    const now = nowNs();
    const pauseNs = nextHeartbeat(now, this.lookEveryMs * 1e6, hostClockNs) - now;
    this.looking = setTimeout(
      () => {
        this.lookLater();
        void this.look();
      },
      Math.min(LONGEST_TIMEOUT_MS, Math.ceil(pauseNs / 1e6)),
    ).unref();
  }

  private async look(): Promise<void> {
    if (this.opening || this.server === null || fileAt(this.path) !== null) return;
    this.opening = true;
    this.leave();
    try {
      makeFolder(dirname(this.path), 0o700);
      await this.open();
    } catch {
      // Nothing can be made there now; perhaps at the next check.
    }
    this.opening = false;
  }
}

/** Identifies the file at a path; null when there is none. */
function fileAt(path: string): string | null {
  try {
    const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return there === undefined ? null : `${there.dev} ${there.ino}`;
  } catch {
    return null; // a file has replaced the folder
  }
}
