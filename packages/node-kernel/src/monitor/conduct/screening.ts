import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { CorePeer } from '@mk/monitor-proto/endpoint/peer';
import type { OperationId } from '@mk/monitor-proto/ids';
import type { Message, MessageOf, MessageType } from '@mk/monitor-proto/messages/table';
import type { Offence } from '@mk/monitor-proto/offences';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';
import { isBegunBy } from '../agreement/finished.ts';
import { isAtHome, mayUse } from './authority.ts';

/** What is wrong with a message that has the right form, and how it is called. */
export interface Fault {
  readonly offence: Offence;
  readonly text: string;
}

/** What a check needs to know of this core. */
export interface Screened {
  readonly core: number;
  readonly incarnation: number;
  /** Null before it has its memory. */
  readonly state: LocalCapabilities | null;
}

type Check<T extends MessageType> = (from: CorePeer, message: MessageOf<T>, self: Screened) => Fault | null;
type Checks = { readonly [T in MessageType]?: Check<T> };

/** May this peer say this? Form is checked before (codec.ts); here is authority, as far as the message alone shows it. */
const CHECKS: Checks = {
  cap_copy_request: ownName,
  cap_receive_request: ownName,
  cap_move_request: ownName,
  cap_retrieve_request: ownName,
  cap_retype_request: ownName,
  cap_retype_created: ownName,
  cap_vouch_request: ownName,
  cap_reclaim_request: ownName,
  ram_steal_request: ownName,
  translate_request: ownName,
  ram_steal_reply: (from, { error, address, size }, { state }) =>
    error === 0 && state !== null && !isAtHome(state, { address, size }, from.id)
      ? { offence: 'not_home', text: `lends ${size} bytes at 0x${address.toString(16)}, which it did not bring` }
      : null,
  round_request: (from, { op }, { core, incarnation }) => {
    if (isBegunBy(op, core, incarnation)) return nameFault(op, `round ${op} is this core’s own`);
    return op.startsWith(`${from.id}.`) ? ownName(from, { op }) : null;
  },
  page_reset: (from, message, { state }) =>
    ownName(from, message) ??
    (state !== null && !mayUse(state, message)
      ? { offence: 'forged', text: `resets memory at 0x${message.address.toString(16)} that nobody but this core has` }
      : null),
  page_request: usesPage,
  page_atomic: usesPage,
  page_put: usesPage,
  page_writeback: usesPage,
  page_grant: fromHome,
  page_refused: fromHome,
  page_atomic_reply: fromHome,
  page_invalidate: fromHome,
  page_fetch: fromHome,
  page_put_reply: fromHome,
  page_invalidated: (from, { cores }) =>
    cores.every((core) => core === from.id)
      ? null
      : { offence: 'other_name', text: `answers for cores ${cores.join(', ')}` },
};

/** What is wrong with a message of a peer, or null. */
export function faultOf(from: CorePeer, message: Message, self: Screened): Fault | null {
  const check = CHECKS[message.type] as Check<MessageType> | undefined;
  return check === undefined ? null : check(from, message, self);
}

function ownName(from: CorePeer, { op }: { readonly op: OperationId }): Fault | null {
  return isBegunBy(op, from.id, from.incarnation) ? null : nameFault(op, `operation ${op} is not its own`);
}

function nameFault(op: OperationId, text: string): Fault {
  return { offence: 'other_name', text: op.length > 60 ? 'an operation of another name' : text };
}

/** Only the home of a page grants, recalls and refuses it. */
function fromHome(from: CorePeer, { page }: { readonly page: number }, { state }: Screened): Fault | null {
  return state === null || state.homeOf(page * PAGE_BYTES) === from.id
    ? null
    : { offence: 'not_home', text: `speaks as the home of page 0x${page.toString(16)}` };
}

/** Only who may hold something of a page may use it. */
function usesPage(_from: CorePeer, { page }: { readonly page: number }, { core, state }: Screened): Fault | null {
  if (state === null || state.homeOf(page * PAGE_BYTES) !== core) return null;
  return mayUse(state, { address: page * PAGE_BYTES, size: PAGE_BYTES })
    ? null
    : { offence: 'forged', text: `uses page 0x${page.toString(16)}, which nobody but this core has` };
}
