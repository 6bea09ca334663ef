/*
 * A terminal's screen and keys, while a program draws in place. However the program ends, it restores the terminal: the
 * other screen, the cursor, and line input.
 */

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const REST_OF_LINE = '\x1b[K';
const REST_OF_SCREEN = '\x1b[J';
const SUSPEND = '\x1a';
const ENDING_SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const;

export interface FullScreenOwner {
  /** Something was typed. */
  typed(text: string): void;
  /** The window changed size, or came back: redraw. */
  redraw(): void;
  /** The program is asked to end. */
  end(): void;
}

export class FullScreen {
  private readonly input = process.stdin;
  private readonly output = process.stdout;
  private open = false;

  constructor(private readonly owner: FullScreenOwner) {}

  get size(): { readonly columns: number; readonly lines: number } {
    // A terminal without a known size reports 0.
    return { columns: this.output.columns || 80, lines: this.output.rows || 24 };
  }

  enter(): void {
    this.take();
    process.on('exit', this.restore);
    process.on('SIGCONT', this.resumed);
    for (const signal of ENDING_SIGNALS) process.on(signal, this.owner.end);
    this.output.on('resize', this.owner.redraw);
    this.input.setEncoding('utf8').on('data', this.heard);
    this.input.on('end', this.owner.end);
  }

  leave(): void {
    this.restore();
    process.off('exit', this.restore);
    process.off('SIGCONT', this.resumed);
    for (const signal of ENDING_SIGNALS) process.off(signal, this.owner.end);
    this.output.off('resize', this.owner.redraw);
    this.input.off('data', this.heard);
    this.input.off('end', this.owner.end);
    this.input.pause();
  }

  /** One write per picture, over the previous one, so that nothing flickers. */
  draw(lines: readonly string[]): void {
    if (this.open) this.output.write(HOME + lines.map((line) => line + REST_OF_LINE).join('\r\n') + REST_OF_SCREEN);
  }

  private take(): void {
    if (this.input.isTTY) this.input.setRawMode(true);
    this.output.write(ENTER);
    this.open = true;
  }

  private readonly restore = (): void => {
    if (!this.open) return;
    this.open = false;
    if (this.input.isTTY) this.input.setRawMode(false);
    this.output.write(LEAVE);
  };

  private readonly heard = (text: string): void => {
    if (text === SUSPEND) {
      this.restore();
      process.kill(process.pid, 'SIGTSTP');
    } else this.owner.typed(text);
  };

  private readonly resumed = (): void => {
    if (this.open) return;
    this.take();
    this.owner.redraw();
  };
}
