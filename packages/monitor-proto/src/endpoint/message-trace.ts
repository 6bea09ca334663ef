import { keysOf } from '../tables.ts';
import { known } from '../assert.ts';
import type { InstanceId } from '../ids.ts';
import type { MessageCodec } from '../messages/codec.ts';
import { type Message, MESSAGES, type MessageType } from '../messages/table.ts';
import type { EffectSink } from '../outbox.ts';
import type { Peer } from './peer.ts';

const TYPES = keysOf(MESSAGES);
const ORDINALS = 1 + Math.max(...Object.values(MESSAGES).map(({ ordinal }) => ordinal));

/** Called for each message while a process is traced. Channel, lane and number identify the message at both ends. */
export interface MessageTap {
  message(way: Way, type: MessageType, channel: string, lane: number, number: number, op: string): void;
}

type Way = 'sent' | 'delivered';

/** Counts messages by type and, if asked, writes a debug line for each, which the channel checkers read. */
export class MessageTrace {
  private readonly sentByOrdinal = new Float64Array(ORDINALS);
  private readonly deliveredByOrdinal = new Float64Array(ORDINALS);
  tap: MessageTap | null = null;

  constructor(
    private readonly sink: EffectSink,
    private readonly instance: InstanceId,
  ) {}

  sent(peer: Peer, message: Message, codec: MessageCodec): void {
    this.sentByOrdinal[codec.ordinal]! += 1;
    peer.sent[codec.lane] = (peer.sent[codec.lane] ?? 0) + 1;
    if (this.sink.debug || this.tap !== null) this.tell('sent', peer, message, codec.lane);
  }

  delivered(peer: Peer, message: Message, codec: MessageCodec): void {
    this.deliveredByOrdinal[codec.ordinal]! += 1;
    peer.delivered[codec.lane] = (peer.delivered[codec.lane] ?? 0) + 1;
    if (this.sink.debug || this.tap !== null) this.tell('delivered', peer, message, codec.lane);
  }

  /** How many messages of each type channels took (`sent`) or delivered; types with none are left out. */
  counts(way: 'sent' | 'delivered'): readonly (readonly [type: MessageType, count: number])[] {
    const counts = way === 'sent' ? this.sentByOrdinal : this.deliveredByOrdinal;
    return TYPES.map((type) => [type, known(counts[MESSAGES[type].ordinal])] as const).filter(([, count]) => count > 0);
  }

  private tell(way: Way, peer: Peer, message: Message, lane: number): void {
    const number = known(peer[way][lane]);
    if (peer.channelThere === '') {
      peer.channelThere = channelName(this.instance, peer.instance);
      peer.channelBack = channelName(peer.instance, this.instance);
    }
    const channel = way === 'sent' ? peer.channelThere : peer.channelBack;
    const op = 'op' in message ? message.op : '';
    this.tap?.message(way, message.type, channel, lane, number, op);
    if (!this.sink.debug) return;
    const fields = { peer: peer.id, channel, message: message.type, lane, number, ...(op !== '' && { op }) };
    this.sink.log(way === 'sent' ? 'message_sent' : 'message_delivered', fields);
  }
}

/** One direction between two instances, as log lines name it. */
function channelName(from: InstanceId, to: InstanceId): string {
  return `${from.slice(0, 8)}>${to.slice(0, 8)}`;
}
