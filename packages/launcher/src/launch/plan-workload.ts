import type { CoreId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { isErrorName } from '@mk/monitor-proto/errors';
import { callControl, ControlError } from '@mk/libmk/io/control-call';
import type { ClusterSession } from '../supervisor/cluster-session.ts';

/** An operation's deadline, plus the time that a core that hung, is slowed or starved may take to report it. */
const DEADLINE_MS = limit('operationDeadlineNs') / 1e6;
const SLACK_MS = 20_000;
const PAUSE_MS = 100;
/** Errors of the client when the process that it asks has crashed or hangs: no promise of the cluster is broken. */
const OURS = new Set(['UNREACHABLE', 'TIMEOUT']);

/**
 * Called after each round with the request, its outcome (`ok` or the error), and when it was asked and answered, in
 * milliseconds since 1970.
 */
export type RoundListener = (what: string, outcome: string, fromMs: number, toMs: number) => void;

/**
 * No-op rounds led by one core after the other while faults happen. Each must succeed or end in a named error, in time.
 */
export class RoundWorkload {
  readonly violations: string[] = [];
  private stopped = false;
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly session: ClusterSession,
    private readonly onEnded: RoundListener,
    /** The date, milliseconds since 1970; differences of it are durations. */
    private readonly date: () => number,
  ) {}

  start(): void {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.loop;
  }

  private async run(): Promise<void> {
    for (let turn = 0; !this.stopped; turn++) {
      const running = this.session.supervisor.cores().filter(([, process]) => process.state === 'running');
      const leader = running[turn % Math.max(1, running.length)];
      if (leader !== undefined) await this.round(leader[0], leader[1].address, turn % 2 === 0 ? 1 : 2);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  private async round(core: CoreId, address: string, phases: number): Promise<void> {
    const startedAt = performance.now();
    const fromMs = this.date();
    const ended = (outcome: string): void => this.onEnded('round', outcome, fromMs, this.date());
    try {
      await callControl(
        address,
        this.session.supervisor.access,
        'round',
        { plan: 'multicast', phases, count: 1 },
        { timeoutMs: DEADLINE_MS + SLACK_MS },
      );
      ended('ok');
    } catch (error) {
      const name = error instanceof ControlError ? error.error : String(error);
      ended(name);
      const elapsedMs = performance.now() - startedAt;
      if (OURS.has(name)) {
        if (this.session.supervisor.core(core)?.state === 'running' && elapsedMs >= DEADLINE_MS + SLACK_MS)
          this.violations.push(`a round that core ${core} led did not end within ${DEADLINE_MS / 1000} s`);
      } else if (!isErrorName(name))
        this.violations.push(`a round that core ${core} led ended in ${name}, which is not a named error`);
    }
  }
}
