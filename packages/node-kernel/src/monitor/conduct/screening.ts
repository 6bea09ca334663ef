import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { CorePeer } from '@mk/monitor-proto/endpoint/peer';
import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import { type Message, type MessageOf, type MessageType, ofType } from '@mk/monitor-proto/messages/table';
import type { Offence } from '@mk/monitor-proto/offences';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';
import { coreOf, incarnationOf, isBegunBy } from '../agreement/finished.ts';
import { isAtHome, mayUse } from './authority.ts';

/** The offence in a well-formed message, and its description. */
export interface Fault {
  readonly offence: Offence;
  readonly text: string;
}

/** This core's state as the checks use it. */
export interface Screened {
  readonly core: number;
  /** Null before it has its memory. */
  readonly state: LocalCapabilities | null;
  /** Whether this core has given another a translation, with which it may use pages without a capability. */
  readonly hasTold: (core: CoreId) => boolean;
}

type Checks<M> = (from: CorePeer, message: M, self: Screened) => Fault | null;
/**
 * May this peer say this? codec.ts has checked the form; this checks authority, as far as the message alone shows it.
 */
const CHECKS: ReadonlyMap<MessageType, Checks<Message>> = new Map([
  check('cap_copy_request', ownName),
  check('cap_receive_request', ownName),
  check('cap_move_request', ownName),
  check('cap_retrieve_request', ownName),
  check('cap_retype_request', ownName),
  check('cap_retype_created', ownName),
  check('cap_vouch_request', ownName),
  check('cap_reclaim_request', ownName),
  check('ram_steal_request', ownName),
  check('translate_request', ownName),
  check('ram_steal_reply', (from, { error, address, size }, { state }) =>
    error === 0 && state !== null && !isAtHome(state, { address, size }, from.id)
      ? { offence: 'not_home', text: `lends ${size} bytes at 0x${address.toString(16)}, which it did not bring` }
      : null,
  ),
  check('round_request', (from, { op }, { core }) => {
    const initiator = coreOf(op);
    if (initiator === from.id) return ownName(from, { op });
    // Relayed, the round would look like this core's own, in the name of another life or in no name at all.
    if (initiator === core) return { offence: 'unsealed', text: 'a round in this core’s own name' };
    return isBegunBy(op, initiator, incarnationOf(op)) ? null : { offence: 'unsealed', text: 'a round in no name' };
  }),
  check('round_reply', (from, { op }) =>
    isBegunBy(op, from.id, from.incarnation) ? { offence: 'unasked', text: 'answers a round of its own' } : null,
  ),
  check(
    'page_reset',
    (from, message, { state }) =>
      ownName(from, message) ??
      (state !== null && !mayUse(state, message)
        ? {
            offence: 'forged',
            text: `resets memory at 0x${message.address.toString(16)} that nobody but this core has`,
          }
        : null),
  ),
  check('page_request', usesPage),
  check('page_atomic', usesPage),
  check('page_put', usesPage),
  check('page_grant', fromHome),
  check('page_refused', fromHome),
  check('page_atomic_reply', fromHome),
  check('page_invalidate', fromHome),
  check('page_fetch', fromHome),
  check('page_put_reply', fromHome),
  check('page_invalidated', (from, { cores }) =>
    cores.every((core) => core === from.id)
      ? null
      : { offence: 'other_name', text: `answers for cores ${cores.join(', ')}` },
  ),
]);

function check<T extends MessageType>(type: T, by: Checks<MessageOf<T>>): [MessageType, Checks<Message>] {
  return [type, (from, message, self) => by(from, ofType(message, type), self)];
}

/** The fault of a peer's message; null: none. */
export function faultOf(from: CorePeer, message: Message, self: Screened): Fault | null {
  return CHECKS.get(message.type)?.(from, message, self) ?? null;
}

function ownName(from: CorePeer, { op }: { readonly op: OperationId }): Fault | null {
  return isBegunBy(op, from.id, from.incarnation) ? null : nameFault(op, `operation ${op} is not its own`);
}

function nameFault(op: OperationId, text: string): Fault {
  return { offence: 'other_name', text: op.length > 60 ? 'an operation of another name' : text };
}

/** Only a page's home grants, recalls and refuses it. */
function fromHome(from: CorePeer, { page }: { readonly page: number }, { state }: Screened): Fault | null {
  return state === null || state.homeOf(page * PAGE_BYTES) === from.id
    ? null
    : { offence: 'not_home', text: `speaks as the home of page 0x${page.toString(16)}` };
}

/**
 * Only a core that may hold part of a page may use it, or one that was given a translation, which may be gone when its
 * message arrives. The directory takes written-back bytes (`page_writeback`) only from the page's owner, which may have
 * lost its capability meanwhile.
 */
function usesPage(
  from: CorePeer,
  { page }: { readonly page: number },
  { core, state, hasTold }: Screened,
): Fault | null {
  if (state === null || state.homeOf(page * PAGE_BYTES) !== core || hasTold(from.id)) return null;
  return mayUse(state, { address: page * PAGE_BYTES, size: PAGE_BYTES })
    ? null
    : { offence: 'forged', text: `uses page 0x${page.toString(16)}, which nobody but this core has` };
}
