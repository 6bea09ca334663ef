import { codeOf } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import { accessSync, constants, lstatSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ControlError } from './control-call.ts';

/**
 * Where clusters are recorded: `$MK_STATE_DIR`, else `$XDG_RUNTIME_DIR/mk`, else `~/.mk`, else (for a user without a
 * writable home) `mk-UID` in the folder for temporary files. Always absolute: a detached supervisor works elsewhere.
 */
export function stateDirectoryPath(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['MK_STATE_DIR'] ?? '';
  if (own !== '') return resolve(own);
  const runtime = env['XDG_RUNTIME_DIR'] ?? '';
  // After `su` the variable may still name the other user's folder.
  const places = [
    runtime === '' ? null : join(runtime, 'mk'),
    homeOf(env) === null ? null : join(known(homeOf(env)), '.mk'),
  ];
  const usable = places.find((path) => path !== null && canBeWritten(resolve(path)));
  return usable === undefined || usable === null ? temporary() : resolve(usable);
}

/** The home folder; null for a user id with neither HOME nor an entry in the system's user list. */
function homeOf(env: NodeJS.ProcessEnv): string | null {
  const home = env['HOME'] ?? '';
  if (home !== '') return home;
  try {
    return userInfo().homedir || null;
  } catch {
    return null;
  }
}

/** Whether this user can write into the folder, or, if it is missing, into the one in which it would be made. */
function canBeWritten(path: string): boolean {
  for (const folder of [path, dirname(path)]) {
    try {
      accessSync(folder, constants.W_OK | constants.X_OK);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') return false;
    }
  }
  return false;
}

/** Everybody may write into the folder for temporary files: another user's folder there is not trusted. */
function temporary(): string {
  const uid = process.getuid?.() ?? 0;
  const path = join(tmpdir(), `mk-${uid}`);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0))
    throw new ControlError('REFUSED', `${path} is not a folder of this user alone; set MK_STATE_DIR to one that is`);
  return path;
}
