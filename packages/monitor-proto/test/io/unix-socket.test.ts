import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import {
  faultOfSocketPath,
  freshSocketPath,
  listenAtSocket,
  LONGEST_SOCKET_PATH_BYTES,
} from '../../src/io/unix-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'mk-unix-'));
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

function server(): Server {
  const made = createServer((socket) => socket.end());
  servers.push(made);
  return made;
}

/** The socket of a killed process: a file on which nobody listens. */
async function staleSocket(path: string): Promise<void> {
  const dead = server();
  await listenAtSocket(dead, `${path}.old`);
  renameSync(`${path}.old`, path); // closing removes the file only under its old name
  await new Promise((resolve) => dead.close(resolve));
  expect(existsSync(path)).toBe(true);
}

test('a socket is for its owner alone, and the process’s own mask stays', async () => {
  const path = join(folder, 'mode.sock');
  const mask = process.umask();
  await listenAtSocket(server(), path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(process.umask()).toBe(mask);
});

test('a socket that nobody listens at any more is replaced', async () => {
  const path = join(folder, 'stale.sock');
  await staleSocket(path);
  await listenAtSocket(server(), path);
  const reached = new Promise<boolean>((resolve) => {
    const socket = connect({ path }, () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  expect(await reached).toBe(true);
});

test('a socket that somebody listens at, and a file that is none, stay', async () => {
  const path = join(folder, 'taken.sock');
  await listenAtSocket(server(), path);
  await expect(listenAtSocket(server(), path)).rejects.toThrow(
    /^SOCKET_IN_USE: .*taken\.sock is taken by another process$/,
  );
  const file = join(folder, 'file.sock');
  writeFileSync(file, 'kept');
  await expect(listenAtSocket(server(), file)).rejects.toThrow(/file\.sock is not a socket; move it away/);
  await expect(listenAtSocket(server(), join(folder, 'missing', 'a.sock'))).rejects.toThrow(/^cannot listen at .*: E/);
});

test('a path is bounded in bytes', async () => {
  const fits = `/${'x'.repeat(LONGEST_SOCKET_PATH_BYTES - 1)}`;
  expect(faultOfSocketPath(fits)).toBeNull();
  expect(faultOfSocketPath(`${fits}x`)).toMatch(/at most \d+ bytes, and \/x+ has \d+$/);
  expect(faultOfSocketPath(`/${'ä'.repeat(LONGEST_SOCKET_PATH_BYTES / 2 + 1)}`)).not.toBeNull();
  await expect(listenAtSocket(server(), `${fits}x`)).rejects.toThrow(/at most/);
});

test('the longest path that is allowed works, where folders are short enough', async () => {
  const name = 'y'.repeat(LONGEST_SOCKET_PATH_BYTES - Buffer.byteLength(folder) - 1);
  await listenAtSocket(server(), join(folder, name));
  expect(existsSync(join(folder, name))).toBe(true);
});

test('each life has a socket of its own, and removes what dead ones left', async () => {
  const own = join(folder, 'lives');
  const first = await freshSocketPath(own, 'core-1', 'aaaa');
  expect(statSync(own).mode & 0o777).toBe(0o700);
  await staleSocket(first);
  await listenAtSocket(server(), join(own, 'core-1.bbbb.sock'));
  await staleSocket(join(own, 'core-10.cccc.sock'));
  expect(await freshSocketPath(own, 'core-1', 'dddd')).toBe(join(own, 'core-1.dddd.sock'));
  expect(readdirSync(own).sort()).toEqual(['core-1.bbbb.sock', 'core-10.cccc.sock']);
});
