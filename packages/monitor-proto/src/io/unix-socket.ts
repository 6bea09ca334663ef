/*
 * Unix sockets at which the processes of a host accept links. A socket is a file: the kernel's `sun_path` bounds its
 * name, its mode controls who may connect, and it stays behind when its process is killed.
 */
import { makeFolder } from './folder.ts';
import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { limit } from '../limits.ts';
import { codeOf } from '../thrown.ts';

/** `sun_path` less its terminating zero (unix(7)); macOS allows four bytes less. */
export const LONGEST_SOCKET_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;
/** Only the user who runs the cluster may connect. */
const OWNER_ONLY = 0o177;

/** As long as the longest socket name of any core. */
export const LONGEST_SOCKET_NAME = `core-${limit('maxCores') - 1}.00000000.sock`;

/** Why a path cannot be a socket's, in one line; null: it can. */
export function faultOfSocketPath(path: string): string | null {
  const bytes = Buffer.byteLength(path);
  return bytes <= LONGEST_SOCKET_PATH_BYTES
    ? null
    : `the path of a Unix socket has at most ${LONGEST_SOCKET_PATH_BYTES} bytes, and ${path} has ${bytes}`;
}

/**
 * Makes a server listen at a socket of mode 0600, replacing one at which nobody listens. Rejects with one line when
 * somebody does listen, when something else is there, or when the path is too long.
 */
export async function listenAtSocket(server: Server, path: string): Promise<void> {
  const fault = faultOfSocketPath(path);
  if (fault !== null) throw new Error(fault);
  await removeStaleSocket(path);
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new Error(`cannot listen at ${path}: ${codeOf(error) ?? error.message}`));
    server.once('error', failed);
    const before = process.umask(OWNER_ONLY); // the file is made before `listen` returns, so it never has another mode
    try {
      server.listen({ path, backlog: 2048 }, () => {
        server.off('error', failed);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

/**
 * The path of a socket for one life of `who`, in a folder that is made if missing: a process that still dials an
 * earlier life must not reach this one. Removes sockets that earlier lives left there.
 */
export async function freshSocketPath(folder: string, who: string, life: string): Promise<string> {
  makeFolder(folder, 0o700);
  const left = readdirSync(folder).filter((name) => name.startsWith(`${who}.`) && name.endsWith('.sock'));
  for (const name of left) await removeStaleSocket(`${folder}/${name}`).catch(() => undefined); // a live socket stays
  return `${folder}/${who}.${life}.sock`;
}

/** Removes the socket of a killed process. */
async function removeStaleSocket(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) throw new Error(`${path} is not a socket; move it away`);
  if (await answers(path)) throw new Error(`SOCKET_IN_USE: ${path} is taken by another process`);
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Whether somebody listens at a socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // A full queue (EAGAIN) has a listener; a file that refuses us is not ours to remove.
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? '')));
  });
}
