import { known } from '@mk/monitor-proto/assert';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from '../context.ts';
import { answerIn, type Operation, OperationError, type Resume, wait } from '../operations.ts';

/**
 * Passes a token round a list of cores: shows the value of placement, since every hop's time counts. The first of the
 * list sends it off and times each round. A token whose next core is gone is lost; its deadline ends the round.
 */
export class Ring {
  private readonly waiting = new Map<number, Resume<Nanos>>();
  private nextRun = 1;

  constructor(private readonly context: MonitorContext) {}

  /**
   * Runs so many rounds, one after another, from this core over `cores` (this one first) and back; nanoseconds each.
   */
  *run(cores: readonly CoreId[], rounds: number, payload: Uint8Array): Operation<readonly Nanos[]> {
    const samples: Nanos[] = [];
    for (let round = 0; round < rounds; round++) samples.push(yield* this.round(cores, payload));
    return samples;
  }

  onToken(from: Peer, token: MessageOf<'ring_token'>, now: Nanos): void {
    const { cores, place, run } = token;
    const next = (place + 1) % cores.length;
    if (cores[place] !== this.context.core) {
      const text = `a token for core ${cores[place]} came here`;
      this.context.outbox.log('frame_rejected', { peer: from.id, link: from.link, error: 'OUT_OF_PLACE', text });
    } else if (place === 0) this.waiting.get(run)?.(now, now);
    else this.context.send(known(cores[next]), { ...token, place: next });
  }

  private *round(cores: readonly CoreId[], payload: Uint8Array): Operation<Nanos> {
    const run = this.nextRun++ >>> 0;
    let sentAt: Nanos = 0;
    const backAt = yield* wait<Nanos>({
      arm: (resume, now) => {
        sentAt = now;
        const error = this.context.send(known(cores[1]), { type: 'ring_token', run, cores, place: 1, payload });
        if (error !== null) resume(new OperationError(error, `core ${cores[1]} cannot be handed the token`), now);
        const what = `the token did not come back round cores ${cores.join(', ')}`;
        const back = answerIn<Nanos>(this.context.timers, now + limit('operationDeadlineNs'), what, (answer) => {
          this.waiting.set(run, answer);
          return () => this.waiting.delete(run);
        });
        return back.arm(resume, now);
      },
    });
    return backAt - sentAt;
  }
}
