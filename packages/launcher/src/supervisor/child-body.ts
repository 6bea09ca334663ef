import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { identityOf, type ProcessIdentity } from '@mk/libmk/io/process-identity';
import type { ChildMessage, ParentMessage } from '@mk/monitor-proto/io/parent';
import { title } from '../boot/boot-machine.ts';
import { openErrors } from './error-file.ts';
import { lineSplitter } from './line-splitter.ts';
import { type BodyEvents, endedBy, type ProcessBody } from './process-body.ts';
import { startError, startErrorText } from './start-error.ts';

/** What to start, and where its output goes. */
export interface ProcessSpec {
  readonly name: string;
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A detached process outlives its supervisor: it must not depend on the supervisor's pipes. */
  readonly detached: boolean;
  /** Where a detached process's stderr goes. */
  readonly errorFile: string | null;
}

/** A child of this process. */
export class ChildBody implements ProcessBody {
  readonly identity: ProcessIdentity;
  private readonly child: ChildProcess;

  constructor(spec: ProcessSpec) {
    this.child = startChild(spec);
    this.identity = identityOf(this.child.pid ?? -1);
  }

  listen(events: BodyEvents): void {
    const { child } = this;
    child.on('message', (message) => events.said(message as ParentMessage));
    // Either the process was never started, and ends here, or a signal or message to a running one was not delivered.
    child.on('error', (error) =>
      child.pid === undefined ? events.notStarted(startErrorText(error)) : events.errorLine(error.message),
    );
    child.stdout?.setEncoding('utf8').on('data', lineSplitter(events.logged));
    child.stderr?.setEncoding('utf8').on('data', lineSplitter(events.errorLine));
    child.on('close', (code, name) => events.ended(name === null ? `exit status ${code}` : endedBy(name)));
  }

  tell(message: ChildMessage): void {
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  /** A process number is not reused before its end has been seen. */
  signal(name: NodeJS.Signals): void {
    if (this.child.pid !== undefined) this.child.kill(name);
  }
}

/** Throws if the system refuses at once; a later refusal is the child's event `error`. */
function startChild({ name, program, environment, detached, errorFile }: ProcessSpec): ChildProcess {
  let errors: number | null = null;
  try {
    errors = errorFile === null ? null : openErrors(errorFile);
    // A session of its own: the terminal's Ctrl-C reaches only the launcher, which ends its processes in order.
    return spawn(process.execPath, ['--no-warnings', program], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', detached ? 'ignore' : 'pipe', errors ?? (detached ? 'ignore' : 'pipe'), 'ipc'],
      detached: true,
    });
  } catch (error) {
    throw startError(title(name), error);
  } finally {
    if (errors !== null) closeSync(errors);
  }
}
