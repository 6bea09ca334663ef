import { known } from '../assert.ts';
import type { InstanceId } from '../ids.ts';
import type { MessageCodec } from '../messages/codec.ts';
import { type Message, MESSAGES, type MessageType } from '../messages/table.ts';
import type { EffectSink } from '../outbox.ts';
import type { Peer } from './peer.ts';

const TYPES = Object.keys(MESSAGES) as MessageType[];
const ORDINALS = 1 + Math.max(...Object.values(MESSAGES).map(({ ordinal }) => ordinal));

/** Counts messages by type, and writes a debug line for each where they are wanted: what the channel checkers read. */
export class MessageTrace {
  private readonly sentByOrdinal = new Float64Array(ORDINALS);
  private readonly deliveredByOrdinal = new Float64Array(ORDINALS);
  private readonly numbers = new WeakMap<Peer, { readonly sent: number[]; readonly delivered: number[] }>();

  constructor(
    private readonly sink: EffectSink,
    private readonly instance: InstanceId,
  ) {}

  sent(peer: Peer, message: Message, codec: MessageCodec): void {
    this.sentByOrdinal[codec.ordinal]! += 1;
    if (this.sink.debug) this.line('message_sent', peer, message, codec.lane, 'sent');
  }

  delivered(peer: Peer, message: Message, codec: MessageCodec): void {
    this.deliveredByOrdinal[codec.ordinal]! += 1;
    if (this.sink.debug) this.line('message_delivered', peer, message, codec.lane, 'delivered');
  }

  /** How many messages of each type were given to channels (`sent`) or handed on by them; types with none are left out. */
  counts(way: 'sent' | 'delivered'): readonly (readonly [type: MessageType, count: number])[] {
    const counts = way === 'sent' ? this.sentByOrdinal : this.deliveredByOrdinal;
    return TYPES.map((type) => [type, known(counts[MESSAGES[type].ordinal])] as const).filter(([, count]) => count > 0);
  }

  private line(
    event: 'message_sent' | 'message_delivered',
    peer: Peer,
    message: Message,
    lane: number,
    way: 'sent' | 'delivered',
  ): void {
    let numbers = this.numbers.get(peer);
    if (!numbers) this.numbers.set(peer, (numbers = { sent: [0, 0, 0], delivered: [0, 0, 0] }));
    const number = (numbers[way][lane]! += 1);
    const channel =
      way === 'sent' ? channelName(this.instance, peer.instance) : channelName(peer.instance, this.instance);
    const fields: Record<string, unknown> = { peer: peer.id, channel, message: message.type, lane, number };
    if ('op' in message) fields.op = message.op;
    this.sink.log(event, fields);
  }
}

/** One direction between two instances, as log lines name it. */
function channelName(from: InstanceId, to: InstanceId): string {
  return `${from.slice(0, 8)}>${to.slice(0, 8)}`;
}
