import { isKeyOf } from '@mk/monitor-proto/tables';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { CommandError } from '../cli/usage-error.ts';

/** Why the operating system refuses to start a process, and the remedy. */
export const CAUSES = {
  EAGAIN:
    'no more processes or threads are allowed (ulimit -u, or the limit of the container); start fewer cores, or raise the limit',
  EMFILE: 'this process may open no more files (ulimit -n); start fewer cores, or raise the limit',
  ENFILE: 'the host may open no more files (fs.file-max); start fewer cores, or raise the limit',
  ENOMEM: 'the host has no memory left for it; start fewer cores',
  E2BIG: 'its settings are larger than the system allows for a new process; use a smaller machine',
  ENOENT: 'the program is gone; install Node again, or build with npm run build',
  EACCES: 'this user may not run the program',
  ENOSPC: 'no space is left on the device',
} as const;

/** Why a process could not be started, in one line: the cause first, the system's own word last. */
export function startErrorText(error: unknown): string {
  const code = codeOf(error);
  const { message } = asError(error);
  const cause = code !== undefined && isKeyOf(CAUSES, code) ? CAUSES[code] : undefined;
  return cause === undefined ? message : `${cause} (${code})`;
}

/** The error for a process that could not be started, worded for people. */
export function startError(who: string, error: unknown): CommandError {
  return new CommandError(`${who} could not be started: ${startErrorText(error)}`, 2);
}
