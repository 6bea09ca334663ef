import { SilenceWatch } from '@mk/monitor-proto/endpoint/silence-watch';
import { MILLISECOND, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import type { MonitorContext } from '../context.ts';

/** No exchange of clocks has this id: the answer only serves the channel. */
const NOBODY_WAITS = 0;

/** Watches the SKB, whose host may vanish without notice (decision 0189): logs it, closes the link and dials again. */
export function watchOverSkb(context: MonitorContext, hostClockNs: Nanos): SilenceWatch {
  const { endpoint, outbox } = context;
  const ms = (ns: Nanos): number => Math.round(ns / MILLISECOND);
  const watch: SilenceWatch = new SilenceWatch(
    endpoint,
    {
      peer: () => endpoint.peers.get(SKB_PEER) ?? null,
      ask: () => void context.send(SKB_PEER, { type: 'clock_request', id: NOBODY_WAITS, t0: context.now }),
      silent: (forNs) => outbox.log('skb_silent', { silent_ms: ms(forNs), bound_ms: ms(watch.boundNs) }),
      heard: (afterNs) => outbox.log('skb_heard', { silent_ms: ms(afterNs) }),
    },
    hostClockNs,
  );
  return watch;
}

/** How long the SKB may be silent, by the cluster's settings; null: they do not say. */
export function silenceBoundOf(settings: string): Nanos | null {
  const { skbSilenceMs }: { readonly skbSilenceMs?: unknown } = JSON.parse(settings);
  return typeof skbSilenceMs === 'number' && skbSilenceMs > 0 ? skbSilenceMs * MILLISECOND : null;
}
