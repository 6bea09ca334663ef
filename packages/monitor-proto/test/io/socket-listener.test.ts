import { lstatSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { makeFolder } from '../../src/io/folder.ts';
import { SocketListener } from '../../src/io/socket-listener.ts';
import { listenAtSocket } from '../../src/io/unix-socket.ts';

const place = mkdtempSync(join(tmpdir(), 'mk-listener-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const LOOK_MS = 100;

/** The answer of the listener at a socket; null: there is none. */
function greeting(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ path }).setEncoding('utf8');
    socket.once('data', (text: string) => {
      resolve(text);
      socket.destroy();
    });
    socket.once('error', () => resolve(null));
  });
}

async function untilGreeted(path: string, text: string): Promise<void> {
  while ((await greeting(path)) !== text) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a socket that is deleted, and its folder, comes back once it can; who was connected stays', async () => {
  const path = join(place, 'a', 'core.sock');
  const { listener, accepted } = await listening(path);
  const early = connect({ path }).setEncoding('utf8');
  await new Promise((resolve) => early.once('data', resolve));
  rmSync(dirname(path), { recursive: true });
  writeFileSync(dirname(path), 'in its way');
  expect(await greeting(path)).toBeNull();
  rmSync(dirname(path));
  await untilGreeted(path, 'mine');
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  const heard = new Promise((resolve) => early.once('data', resolve));
  accepted[0]!.write('still here');
  expect(await heard).toBe('still here');
  early.destroy();
  listener.close();
});

test('a socket that another process has put there is left to it, also when this one closes', async () => {
  const path = join(place, 'taken.sock');
  const { listener } = await listening(path);
  const other = createServer((socket) => socket.end('theirs')).unref();
  await listenAtSocket(other, `${path}.new`);
  renameSync(`${path}.new`, path);
  // Deletes another listener's socket until it has come back twice: in between this listener has checked, too.
  const witness = join(place, 'witness.sock');
  const second = await listening(witness);
  for (let round = 0; round < 2; round += 1) {
    rmSync(witness);
    await untilGreeted(witness, 'mine');
  }
  second.listener.close();
  expect(await greeting(path)).toBe('theirs');
  listener.close();
  expect(await greeting(path)).toBe('theirs');
  expect(readdirSync(place).filter((name) => name.startsWith('taken'))).toEqual(['taken.sock']);
  other.close();
});

async function listening(
  path: string,
): Promise<{ listener: SocketListener; accepted: { write(text: string): void }[] }> {
  makeFolder(dirname(path));
  const accepted: { write(text: string): void }[] = [];
  const connected = (socket: Socket): void => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.write('mine');
  };
  const listener = await SocketListener.at(path, connected, LOOK_MS);
  return { listener, accepted };
}
