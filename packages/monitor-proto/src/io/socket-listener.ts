import { lstatSync, renameSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { makeFolder } from './folder.ts';
import { listenAtSocket } from './unix-socket.ts';

/** How often to check that the socket's file is there. */
const LOOK_EVERY_MS = 1000;

/**
 * Listens at a Unix socket until closed: a socket whose file or folder was deleted is made again; one that another
 * process has put there is left alone. Connections outlive their socket's file.
 */
export class SocketListener {
  private server: Server | null = null;
  /** The file that the server was bound to. The kernel reuses its number for no other while the server has it. */
  private file: string | null = null;
  private readonly looking: NodeJS.Timeout;
  private opening = false;
  private closed = false;

  private constructor(
    private readonly path: string,
    private readonly connected: (socket: Socket) => void,
  ) {
    this.looking = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /** Rejects with a line that says why the socket cannot be made. */
  static async at(path: string, connected: (socket: Socket) => void): Promise<SocketListener> {
    const listener = new SocketListener(path, connected);
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
    clearInterval(this.looking);
    this.leave();
  }

  private async open(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, this.connected);
    await listenAtSocket(server, this.path);
    this.server = server;
    this.file = fileAt(this.path);
    if (this.closed) this.leave(); // meanwhile
  }

  /** Closing a server removes the file at its path, whoever's it has become: another's is moved aside meanwhile. */
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
      server.close(); // who may rename nothing in a folder can remove nothing there either
    }
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

/** Tells the file at a path from others; null: there is none. */
function fileAt(path: string): string | null {
  try {
    const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return there === undefined ? null : `${there.dev} ${there.ino}`;
  } catch {
    return null; // a file has replaced the folder
  }
}
