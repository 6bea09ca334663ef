import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { readFileSync } from 'node:fs';
import { parseRecording } from '@mk/ui/model/recording';
import type { PageEvent } from '@mk/ui/model/page-events';
import { CommandError } from '../cli/usage-error.ts';
import type { PageSource } from './page-source.ts';

/** A recorded run: a page gets all of it at once, and shows the moment that its slider is at. */
export class ReplaySource implements PageSource {
  readonly token = null;
  /** The recording ends in the middle of a line. */
  readonly isCutOff: boolean;
  private readonly events: readonly PageEvent[];

  /** Reads the file; throws one line if it is missing or is not a recording. */
  constructor(file: string) {
    const recording = parseRecording(readText(file));
    if (typeof recording === 'string') throw new CommandError(`--replay ${file}: ${recording}`, 2);
    this.isCutOff = recording.isCutOff === true;
    this.events = recording.events.map((event) => (event.type === 'hello' ? { ...event, mode: 'replay' } : event));
  }

  opening(): readonly PageEvent[] {
    return this.events;
  }

  start(): void {
    // A page gets everything when it opens.
  }

  rest(): void {
    // Nothing runs.
  }

  attend(): void {
    // The recording is complete.
  }

  act(): Promise<string> {
    return Promise.reject(new CommandError('a recording cannot be acted on'));
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = codeOf(error);
    const { message } = asError(error);
    throw new CommandError(`--replay ${file}: ${code === 'ENOENT' ? 'no such file' : message}`, 2);
  }
}
