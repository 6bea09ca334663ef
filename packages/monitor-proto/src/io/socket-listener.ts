import { lstatSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { makeFolder } from './folder.ts';
import { listenAtSocket } from './unix-socket.ts';

/** How often it is looked whether the socket's file is there. */
const LOOK_EVERY_MS = 1000;

/**
 * Listens at a Unix socket for as long as it is not closed: a socket whose file somebody has deleted, or the folder around it, is
 * made again. One that another process has put there is left to it. Connections outlive their socket's file.
 */
export class SocketListener {
  private server: Server | null = null;
  private readonly looking: NodeJS.Timeout;
  private opening = false;

  private constructor(
    private readonly path: string,
    private readonly connected: (socket: Socket) => void,
  ) {
    this.looking = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /** Rejects with a line that says why the socket cannot be had. */
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
    clearInterval(this.looking);
    this.server?.close();
    this.server = null;
  }

  private async open(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, this.connected);
    await listenAtSocket(server, this.path);
    this.server = server;
  }

  private async look(): Promise<void> {
    if (this.opening || this.server === null || isThere(this.path)) return;
    this.opening = true;
    this.server.close();
    try {
      makeFolder(dirname(this.path), 0o700);
      await this.open();
    } catch {
      // Nothing can be made there now; at the next look perhaps.
    }
    this.opening = false;
  }
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // a file stands where the folder was
  }
}
