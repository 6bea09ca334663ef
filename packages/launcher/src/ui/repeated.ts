import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';

/** Repeats something, never twice at once; a failure is retried the next time. */
export class Repeated {
  private timer: LongTimer | null = null;
  private running = false;
  private again = false;
  private active = false;

  constructor(
    private readonly everyMs: number,
    private readonly act: () => Promise<void>,
  ) {}

  start(): void {
    this.active = true;
    this.now();
  }

  stop(): void {
    this.active = false;
    this.timer?.cancel();
  }

  /** Runs at once, or right after the current run. */
  now(): void {
    if (!this.active) return;
    if (this.running) {
      this.again = true;
      return;
    }
    this.timer?.cancel();
    this.running = true;
    void this.act()
      .catch(() => undefined)
      .finally(() => this.finished());
  }

  private finished(): void {
    this.running = false;
    if (!this.active) return;
    const again = this.again;
    this.again = false;
    if (again) return this.now();
    this.timer = callAfter(this.everyMs, () => this.now()).unref();
  }
}
