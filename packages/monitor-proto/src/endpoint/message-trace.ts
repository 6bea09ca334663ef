import type { InstanceId } from '../ids.ts';
import type { Message, MessageType } from '../messages/table.ts';
import type { EffectSink } from '../outbox.ts';
import { LANE_OF } from '../urpc/lanes.ts';
import type { Peer } from './peer.ts';

/** Counts messages by type, and writes a debug line for each where they are wanted: what the channel checkers read. */
export class MessageTrace {
  readonly sentByType = new Map<MessageType, number>();
  readonly deliveredByType = new Map<MessageType, number>();
  private readonly numbers = new WeakMap<Peer, { readonly sent: number[]; readonly delivered: number[] }>();

  constructor(
    private readonly sink: EffectSink,
    private readonly instance: InstanceId,
  ) {}

  sent(peer: Peer, message: Message): void {
    this.sentByType.set(message.type, (this.sentByType.get(message.type) ?? 0) + 1);
    if (this.sink.debug) this.line('message_sent', peer, message, 'sent');
  }

  delivered(peer: Peer, message: Message): void {
    this.deliveredByType.set(message.type, (this.deliveredByType.get(message.type) ?? 0) + 1);
    if (this.sink.debug) this.line('message_delivered', peer, message, 'delivered');
  }

  private line(event: 'message_sent' | 'message_delivered', peer: Peer, message: Message, way: 'sent' | 'delivered'): void {
    const lane = LANE_OF[message.type];
    let numbers = this.numbers.get(peer);
    if (!numbers) this.numbers.set(peer, (numbers = { sent: [0, 0, 0], delivered: [0, 0, 0] }));
    const number = (numbers[way][lane]! += 1);
    const channel = way === 'sent' ? channelName(this.instance, peer.instance) : channelName(peer.instance, this.instance);
    const fields: Record<string, unknown> = { peer: peer.id, channel, message: message.type, lane, number };
    if ('op' in message) fields.op = message.op;
    this.sink.log(event, fields);
  }
}

/** One direction between two instances, as log lines name it. */
function channelName(from: InstanceId, to: InstanceId): string {
  return `${from.slice(0, 8)}>${to.slice(0, 8)}`;
}
