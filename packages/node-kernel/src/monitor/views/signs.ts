import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { MonitorContext } from '../context.ts';
import { memberIn, type View } from './view.ts';
import type { ViewPort } from './view-port.ts';

/**
 * Signs of life between members. With a lease a sign is a heartbeat on the open link: a probe would be acknowledged,
 * which wakes the receiver again, then the sender, and the sender a third time to find that nothing needs repeating
 * (decision 0205). Without a lease, or a link, it is a probe, which names the sender's view so that a core that is
 * behind gets the later ones.
 */
export class Signs implements Pick<ViewPort, 'sign' | 'heardAt'> {
  constructor(
    private readonly context: MonitorContext,
    private readonly view: () => View | null,
  ) {}

  sign(core: CoreId, view: number): void {
    const { context } = this;
    const peer = this.peerOf(core);
    if (peer === null || peer.link === 0 || context.fenced) context.send(core, { type: 'view_probe', view });
    else context.endpoint.beat(peer);
  }

  heardAt(core: CoreId): Nanos {
    return this.peerOf(core)?.lastHeardAt ?? -Infinity;
  }

  /** The peer of the member's incarnation, not of its next one. */
  private peerOf(core: CoreId): Peer | null {
    const peer = this.context.endpoint.peers.get(core);
    const view = this.view();
    if (peer === undefined || view === null) return null;
    return peer.incarnation === memberIn(view, core)?.incarnation ? peer : null;
  }
}
