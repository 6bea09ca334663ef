/* Answers, but falsely: for more cores than were asked, as owner, with false errors and false success. */
import { ERRORS } from '@mk/monitor-proto/errors';
import { type CoreId, isCore, type PeerId } from '@mk/monitor-proto/ids';
import { type Message, type MessageOf, type MessageType, ofType } from '@mk/monitor-proto/messages/table';
import { anybodyBut, type Mischief, oneOf } from './mischief.ts';

type Liar<M> = (m: Mischief, message: M, to: CoreId) => Message;

const LIARS: ReadonlyMap<MessageType, Liar<Message>> = new Map([
  liar('round_reply', (m, message, to) =>
    oneOf<Message>(m, [
      { ...message, count: message.count + 1 + m.prng.nextInt(1000) },
      { ...message, count: 0, refusals: [] },
      { ...message, count: 0, refusals: [[anybodyBut(m, to), ERRORS.PEER_GONE.code]] },
      { ...message, count: 0, refusals: [[m.context.core, ERRORS.CAPABILITY_BUSY.code]] },
      { ...message, data: [2 ** 60, -1, 0.5, 1e300, 1] },
    ]),
  ),
  liar('cap_copy_reply', (m, message) => ({ ...message, ...verdict(m), slot: m.prng.nextInt(1 << 20) })),
  liar('cap_receive_reply', (m, message) => ({ ...message, error: verdict(m).error, slot: m.prng.nextInt(1 << 20) })),
  liar('cap_move_reply', (m, message) => ({ ...message, error: verdict(m).error })),
  liar('cap_retrieve_reply', (m, message) => ({ ...message, ...verdict(m), relations: m.prng.nextInt(2 ** 32) })),
  liar('cap_retype_reply', (m, message) => ({ ...message, ...verdict(m) })),
  liar('cap_reclaim_reply', (_m, message) => ({ ...message, freed: -1e300 })),
  liar('ram_steal_reply', (m, message, to) => {
    const { size } = m.state.memory;
    return { ...message, error: 0, address: to * size, size };
  }),
  liar('translate_reply', (m, message) => ({ ...message, error: 0, physical: m.prng.nextInt(2 ** 20), rights: 31 })),
  liar('page_invalidated', (m, message, to) => ({ ...message, cores: [anybodyBut(m, to)] })),
  liar('page_data', (_m, message) => ({ ...message, held: !message.held, has_data: !message.has_data })),
  liar('ping_reply', (_m, message) => ({ ...message, id: message.id + 1 })),
]);

function liar<T extends MessageType>(type: T, lies: Liar<MessageOf<T>>): [MessageType, Liar<Message>] {
  return [type, (m, message, to) => lies(m, ofType(message, type), to)];
}

/** The message that this core sends in place of another: a lie every other time. */
export function lie(m: Mischief, message: Message, to: PeerId): Message {
  const lies = LIARS.get(message.type);
  return lies === undefined || !isCore(to) || m.prng.nextInt(2) === 0 ? message : lies(m, message, to);
}

function verdict(m: Mischief): { readonly error: number; readonly owner: number } {
  const error = oneOf(m, [0, 0, ERRORS.CAPABILITY_FOREIGN.code, ERRORS.CAPABILITY_BUSY.code, 65_000]);
  return { error, owner: oneOf(m, [m.context.core, ...m.context.members, 60_000]) };
}
