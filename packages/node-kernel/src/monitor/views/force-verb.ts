import type { Nanos } from '@mk/monitor-proto/ids';
import type { Verb } from '../../control/verb.ts';
import type { MonitorContext } from '../context.ts';
import type { Operation } from '../operations.ts';
import { sleep, timeNow } from '../waits.ts';
import type { View } from './view.ts';

/** A link opens within milliseconds if the peer answers; this waits half a second. */
const LOOKS = 20;
const LOOK_NS: Nanos = 25_000_000;

interface Forced {
  isHeard(core: number): boolean;
  force(now: Nanos): View;
}

export function forceVerb(context: () => MonitorContext, views: Forced): Verb<View> {
  return {
    args: [],
    withoutLease: true,
    doc: 'An operator’s new epoch: this core goes on with every core that it hears, although no majority of the view is left.',
    run: () => forced(context(), views),
  };
}

/**
 * A core does not hear peers that it has not talked to: opens a link to everybody, waits a moment, and goes on with
 * those it hears.
 */
function* forced({ endpoint, monitors, timers }: MonitorContext, views: Forced): Operation<View> {
  const closed = (): boolean => [...monitors.keys()].some((core) => !views.isHeard(core));
  for (const core of monitors.keys()) {
    const peer = endpoint.peers.get(core);
    if (peer !== undefined) endpoint.want(peer);
  }
  for (let look = 0; look < LOOKS && closed(); look += 1) yield* sleep(timers, LOOK_NS);
  return views.force(yield* timeNow());
}
