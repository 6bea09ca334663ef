import { type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import { beatIfSilent, heartbeatInterval, nextHeartbeat } from '@mk/monitor-proto/endpoint/heartbeat';
import { limit } from '@mk/monitor-proto/limits';
import { isCorePeer, type Peer, silenceOf } from '@mk/monitor-proto/endpoint/peer';
import type { MonitorContext } from '../context.ts';

const MISSED = limit('heartbeatMissed');

/**
 * Tells the SKB that this core runs, and notices peers that owe an answer and are silent: links between cores are
 * watched by their use, and by the view's probes and beacons (a heartbeat on each would cost n² messages). Suspicion
 * only leads to a log line. A booting core is silent and suspects nobody.
 */
export class Liveness {
  private interval: Nanos = heartbeatInterval(0);
  private lastLookAt: Nanos = 0;

  constructor(
    private readonly context: MonitorContext,
    private readonly booting: (now: Nanos) => boolean,
    private readonly hostClockNs: Nanos,
  ) {}

  start(now: Nanos): void {
    this.lastLookAt = now;
    this.wait(now);
  }

  private wait(now: Nanos): void {
    this.context.timers.set(nextHeartbeat(now, this.interval, this.hostClockNs), (at) => this.look(at));
  }

  private look(now: Nanos): void {
    if (!this.booting(now)) this.lookAtPeers(now);
    this.interval = heartbeatInterval(this.context.endpoint.peers.size);
    this.wait(now);
  }

  private lookAtPeers(now: Nanos): void {
    const { context } = this;
    // A process that was stopped or booting has heard nobody, which says nothing about its peers.
    const slept = now - this.lastLookAt > 2 * this.interval;
    this.lastLookAt = now;
    const skb = context.endpoint.peers.get(SKB_PEER);
    if (skb !== undefined) beatIfSilent(context.endpoint, skb, this.interval, now);
    for (const peer of context.endpoint.peers.values()) {
      if (slept) peer.lastHeardAt = Math.max(peer.lastHeardAt, now - this.interval);
      this.judge(peer, now);
    }
  }

  private judge(peer: Peer, now: Nanos): void {
    if (!isCorePeer(peer)) return;
    const monitor = this.context.monitors.get(peer.id);
    if (monitor === undefined) return;
    const silent = silenceOf(peer, now);
    const suspected = silent > MISSED * this.interval;
    if (suspected === monitor.suspected) return;
    monitor.suspected = suspected;
    if (suspected) this.context.outbox.log('peer_suspected', { peer: peer.id, silent_ms: Math.round(silent / 1e6) });
    else this.context.outbox.log('peer_heard', { peer: peer.id });
  }
}
