import type { ClockOffset } from '@mk/node-kernel/control/verb-answers';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import type { TraceNotes } from '@mk/monitor-proto/trace/entries';
import type { ClusterClient } from '../client/cluster-client.ts';

/** One process's notes, and how far its clock is ahead of the reference core's, in nanoseconds. */
export interface ProcessNotes extends TraceNotes {
  /** A core's number, or SKB_PEER. */
  readonly peer: number;
  readonly offsetNs: number;
  /** The offset's uncertainty. */
  readonly withinNs: number;
}

export interface Collected {
  readonly processes: readonly ProcessNotes[];
  /** Processes that gave no notes, and why. */
  readonly missing: readonly string[];
}

/** Only the shortest round trip counts: on a busy host few are short. */
const CLOCK_EXCHANGES = 32;

/** Traces all processes of a cluster at once. */
export class Collector {
  private asked: readonly number[] = [];
  private peers: readonly number[] = [];
  private readonly missing: string[] = [];

  constructor(private readonly cluster: ClusterClient) {}

  /** Begins everywhere; silent processes are named at the end. */
  async start(entries: number, forMs: number): Promise<void> {
    const cores = (await this.cluster.cores()).filter(({ up }) => up).map(({ core }) => core);
    this.asked = [SKB_PEER, ...cores];
    const started = await this.each(this.asked, (peer) =>
      this.ask(peer, { act: 'start', entries, for_ms: Math.ceil(forMs) }),
    );
    this.peers = started.map(([peer]) => peer).sort((a, b) => a - b);
  }

  /** Ends everywhere, and compares the clocks while the links are warm. */
  async stop(): Promise<Collected> {
    const notes = await this.each(this.peers, (peer) => this.ask(peer, { act: 'stop' }));
    await this.nameLatecomers();
    const reference = notes.map(([peer]) => peer).find((peer) => peer !== SKB_PEER) ?? SKB_PEER;
    const processes = await Promise.all(
      notes.map(async ([peer, value]): Promise<ProcessNotes> => {
        const clock = await this.offset(reference, peer).catch((error: Error) => {
          this.missing.push(`${nameOf(peer)} has no clock to compare (${error.message}); its times are its own`);
          return { offsetNs: 0, roundTripNs: Infinity };
        });
        return { ...(value as TraceNotes), peer, offsetNs: clock.offsetNs, withinNs: clock.roundTripNs / 2 };
      }),
    );
    return { processes: processes.sort((a, b) => a.peer - b.peer), missing: this.missing };
  }

  /** Cores that were not there at the start. */
  private async nameLatecomers(): Promise<void> {
    const now = await this.cluster.cores().catch(() => []);
    const asked = new Set(this.asked);
    for (const { core } of now.filter(({ up, core: each }) => up && !asked.has(each)))
      this.missing.push(`${nameOf(core)} is not in the trace: it came after the start`);
  }

  /** Cores compare their times over their link; the SKB, which has no such message, over its control port. */
  private async offset(reference: number, peer: number): Promise<ClockOffset> {
    if (peer === reference) return { offsetNs: 0, roundTripNs: 0 };
    if (peer !== SKB_PEER && reference !== SKB_PEER)
      return this.cluster.core(reference, 'clock', { core: peer, count: CLOCK_EXCHANGES });
    const [ours, theirs] = [await this.againstUs(reference), await this.againstUs(peer)];
    return { offsetNs: theirs.offsetNs - ours.offsetNs, roundTripNs: theirs.roundTripNs + ours.roundTripNs };
  }

  private async againstUs(peer: number): Promise<ClockOffset> {
    let best: ClockOffset = { offsetNs: 0, roundTripNs: Infinity };
    for (let i = 0; i < CLOCK_EXCHANGES; i++) {
      const t0 = performance.now() * 1e6;
      const { now } = (await this.ask(peer, { act: 'time' })) as { readonly now: number };
      const t3 = performance.now() * 1e6;
      if (t3 - t0 < best.roundTripNs) best = { offsetNs: (now - t0 + (now - t3)) / 2, roundTripNs: t3 - t0 };
    }
    return best;
  }

  private ask(peer: number, args: object): Promise<unknown> {
    return peer === SKB_PEER ? this.cluster.skb('trace', args) : this.cluster.core(peer, 'trace', args);
  }

  private async each(
    peers: readonly number[],
    act: (peer: number) => Promise<unknown>,
  ): Promise<readonly (readonly [peer: number, value: unknown])[]> {
    const answers = await Promise.all(
      peers.map((peer) =>
        act(peer).then(
          (value) => [peer, value] as const,
          (error: Error) => void this.missing.push(`${nameOf(peer)} is not in the trace: ${error.message}`),
        ),
      ),
    );
    return answers.filter((answer) => answer !== undefined);
  }
}

export function nameOf(peer: number): string {
  return peer === SKB_PEER ? 'skb' : `core ${peer}`;
}
