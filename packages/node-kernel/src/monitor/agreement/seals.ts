/*
 * Proves who began a relayed round: a tree's inner node could make up the request that it passes on. So each core gives
 * every other one a key, over the link between the two, and seals the rounds that it begins for every member; nobody
 * else can.
 */
import { known } from '@mk/monitor-proto/assert';
import type { CorePeer } from '@mk/monitor-proto/endpoint/peer';
import { type Hmac, sameProof } from '@mk/monitor-proto/handshake/proof';
import { Writer } from '@mk/monitor-proto/handshake/writer';
import type { CoreId, Incarnation, OperationId } from '@mk/monitor-proto/ids';

/** The content that a seal covers: the operation, its action, the round's number at its initiator, and the payload. */
export interface Sealed {
  readonly op: OperationId;
  readonly action: number;
  readonly round: number;
  readonly body: Uint8Array;
}

const KEY_BYTES = 16;
/** As many as a payload's double holds exactly; guessing one takes about 2^48 messages. */
const SEAL_BYTES = 6;

export class Seals {
  private readonly heard = new Map<CoreId, { readonly incarnation: Incarnation; readonly key: Uint8Array }>();

  constructor(
    private readonly hmac: Hmac,
    private readonly entropy: Uint8Array,
  ) {}

  /** The key by which that peer recognises this core's rounds. */
  keyFor({ id, instance }: Pick<CorePeer, 'id' | 'instance'>): Uint8Array {
    const name = new Writer(128).ascii('round key ').ascii(String(id)).ascii(' ').ascii(instance).whole();
    return this.hmac(this.entropy, name).slice(0, KEY_BYTES);
  }

  /** Stores a peer's key. */
  learn({ id, incarnation }: CorePeer, key: Uint8Array): void {
    this.heard.set(id, { incarnation, key: key.slice() });
  }

  /** Seals a round of this core for one peer. */
  sealFor(peer: Pick<CorePeer, 'id' | 'instance'>, sealed: Sealed): number {
    return this.seal(this.keyFor(peer), sealed);
  }

  /** Whether an incarnation of a core sealed something for this one; null: its key is unknown here. */
  isBy(core: CoreId, incarnation: Incarnation, sealed: Sealed, seal: number | undefined): boolean | null {
    const known = this.heard.get(core);
    if (known?.incarnation !== incarnation) return null;
    return seal !== undefined && sameProof(bytesOf(seal), bytesOf(this.seal(known.key, sealed)));
  }

  private seal(key: Uint8Array, { op, action, round, body }: Sealed): number {
    const said = new Writer(64 + op.length + body.length);
    said.ascii(op).ascii(' ').ascii(String(action)).ascii(' ').ascii(String(round)).ascii(' ').bytes(body);
    const mac = this.hmac(key, said.whole());
    let seal = 0;
    for (let i = 0; i < SEAL_BYTES; i += 1) seal = seal * 256 + known(mac[i]);
    return seal;
  }
}

function bytesOf(seal: number): Uint8Array {
  return new Uint8Array(new Float64Array([seal]).buffer);
}
