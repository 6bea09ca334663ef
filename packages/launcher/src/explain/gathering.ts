import { parseLine } from '../display/log-printer.ts';
import { nameOf, type Story, storyOf } from './story.ts';

type LogLine = NonNullable<ReturnType<typeof parseLine>>;

/** One of several runs whose logs were read, as far as its operation goes. Milliseconds of the log. */
export interface Run {
  /** The first line that mentions the operation. */
  readonly atMs: number;
  /** Lines of this run lie after `afterMs` and before `beforeMs`. */
  readonly afterMs: number;
  readonly beforeMs: number;
}

/** A life of the operation's initiator: its lines are numbered upwards. */
interface Life {
  readonly firstMs: number;
  lastMs: number;
  lastSeq: number;
  mentionedMs: number | null;
}

/** What one operation's story needs of any number of log lines; they are given in each process's order of writing. */
export class Gathering {
  private readonly lines: LogLine[] = [];
  private readonly since = new Map<string, number>();
  private readonly lives: Life[] = [];
  private readonly initiator: readonly number[];

  constructor(readonly op: string) {
    this.initiator = op.split('.').slice(0, 2).map(Number);
  }

  readonly take = (text: string): void => {
    const line = parseLine(text);
    if (line === null) return;
    const who = nameOf(line.core);
    if (line.level === 'debug') this.since.set(who, Math.min(this.since.get(who) ?? Infinity, line.time));
    if (line.core === this.initiator[0] && line['incarnation'] === this.initiator[1]) this.follow(line);
    if (line['op'] === this.op || line.event.startsWith('fault_')) this.lines.push(line);
  };

  /** The runs that have such an operation, oldest first. None where the initiator's log is missing, or does not mention it. */
  get runs(): readonly Run[] {
    const lives = this.lives.toSorted((a, b) => a.firstMs - b.firstMs);
    return lives.flatMap(({ mentionedMs: atMs }, i) => {
      const [before, after] = [lives[i - 1], lives[i + 1]];
      if (atMs === null) return [];
      return [{ atMs, afterMs: before?.lastMs ?? -Infinity, beforeMs: after?.firstMs ?? Infinity }];
    });
  }

  /** The operation's story in a run, or in all that was read; null: nothing mentions it. */
  story(run: Run | null): Story | null {
    const ofRun = ({ time }: LogLine): boolean => run === null || (time > run.afterMs && time < run.beforeMs);
    return storyOf(this.op, this.lines.filter(ofRun), this.since);
  }

  private follow({ time, seq, op }: LogLine): void {
    let life = this.lives.at(-1);
    if (life === undefined || Number(seq) <= life.lastSeq)
      this.lives.push((life = { firstMs: time, lastMs: time, lastSeq: 0, mentionedMs: null }));
    life.lastMs = time;
    life.lastSeq = Number(seq);
    if (op === this.op) life.mentionedMs ??= time;
  }
}
