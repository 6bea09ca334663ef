import { ERRORS, type ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Answer } from '@mk/monitor-proto/messages/fields';
import type { Message, MessageType } from '@mk/monitor-proto/messages/table';
import { isKeyOf } from '@mk/monitor-proto/tables';
import { coreOf } from '../agreement/finished.ts';
import { coresOf } from '../agreement/round-answers.ts';

/** Requests whose sender waits as long as this core lives unless it is refused, and the replies to them. */
export const WAITED_FOR = {
  cap_copy_request: 'cap_copy_reply',
  cap_receive_request: 'cap_receive_reply',
  cap_move_request: 'cap_move_reply',
  cap_retrieve_request: 'cap_retrieve_reply',
  cap_retype_request: 'cap_retype_reply',
  cap_reclaim_request: 'cap_reclaim_reply',
  cap_vouch_request: 'cap_vouch_reply',
} as const satisfies Partial<Record<MessageType, MessageType>>;

/** The reply to a request that no service will see; null: nobody waits for one. */
export function refusalTo(message: Message, error: ErrorName, self: CoreId): Message | null {
  const { code } = ERRORS[error];
  if (message.type === 'round_request') {
    const { op, phase, below } = message;
    // To a relay, a reply in this core's own name would look like an offence of this core.
    if (coreOf(op) === self) return null;
    const refusals: Answer[] = [...coresOf(below, code), [self, code]];
    return { type: 'round_reply', op, phase, count: 0, refusals, data: [] };
  }
  if (message.type === 'ram_steal_request')
    return { type: 'ram_steal_reply', op: message.op, error: code, address: 0, size: 0 };
  if (!isKeyOf(WAITED_FOR, message.type) || !('op' in message)) return null;
  return { type: 'request_refused', op: message.op, error: code };
}
