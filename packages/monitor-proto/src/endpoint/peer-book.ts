import { CLIENT_PEER_BASE, type Incarnation, type InstanceId, NO_CORE, type PeerId } from '../ids.ts';
import type { Identity } from '../urpc/frames.ts';
import { Peer } from './peer.ts';

/** The peers that one process knows, by id and by instance. An instance is unknown until its first link is open. */
export class PeerBook {
  readonly byId = new Map<PeerId, Peer>();
  private readonly byInstance = new Map<InstanceId, Peer>();
  private nextClient = 0;

  ofInstance(instance: InstanceId): Peer | undefined {
    return this.byInstance.get(instance);
  }

  /** The peer of that id and instance, a new one if the id was another instance's. */
  expect(id: PeerId, incarnation: Incarnation, instance: InstanceId): Peer {
    const known = this.byId.get(id);
    if (known && known.instance === instance) return known;
    const peer = new Peer(id, incarnation, instance);
    this.byId.set(id, peer);
    if (instance !== '') this.byInstance.set(instance, peer);
    return peer;
  }

  /** The peer that has proved this identity. Who has no id, a client or a core that joins, gets one for the time being. */
  introduced(from: Identity): Peer {
    const known = this.byInstance.get(from.instance);
    if (known !== undefined) return known;
    const id = from.peer < NO_CORE ? from.peer : CLIENT_PEER_BASE + this.nextClient++;
    return this.expect(id, from.incarnation, from.instance);
  }

  /** A peer that was dialled by its address alone has named its instance. */
  named(peer: Peer, instance: InstanceId): void {
    if (peer.instance !== '') return;
    peer.instance = instance;
    this.byInstance.set(instance, peer);
  }

  rename(peer: Peer, id: PeerId, incarnation: Incarnation): void {
    this.byId.delete(peer.id);
    peer.id = id;
    peer.incarnation = incarnation;
    this.byId.set(id, peer);
  }

  remove(peer: Peer): void {
    if (this.byId.get(peer.id) === peer) this.byId.delete(peer.id);
    if (this.byInstance.get(peer.instance) === peer) this.byInstance.delete(peer.instance);
  }
}
