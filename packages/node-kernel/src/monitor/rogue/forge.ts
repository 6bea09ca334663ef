/*
 * Claims rights: hands out, pulls, moves, deletes and revokes capabilities that it was never given, and speaks in
 * others' names.
 */
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import { type Capability, makeCapability } from '../../capability/model/capability.ts';
import { encodeCapability } from '../../capability/model/capability-codec.ts';
import type { CapabilityType } from '../../capability/model/types.ts';
import { typeRow } from '../../capability/model/types.ts';
import { PHASES } from '../agreement/round-actions.ts';
import { anybodyBut, capabilityRound, type MessageMaker, type Mischief, oneOf } from './mischief.ts';

const PAGE = 4096;
const PAGES = 64;
const DOMAINS = 8;
const TYPES: readonly CapabilityType[] = ['RAM', 'Frame', 'PhysAddr', 'L1CNode', 'Dispatcher'];

export const forge: MessageMaker = (m, to) => oneOf(m, FORGERIES)(m, to);

const FORGERIES: readonly MessageMaker[] = [
  (m, to) => [
    {
      type: 'cap_receive_request',
      ...head(m, to, m.context.core),
      owner: oneOf(m, [m.context.core, to]),
      relations: m.prng.nextInt(8),
      domain: 1 + m.prng.nextInt(DOMAINS),
    },
  ],
  (m, to) => [
    {
      type: 'cap_copy_request',
      ...head(m, to, m.context.core),
      core: m.context.core,
      domain: 1 + m.prng.nextInt(DOMAINS),
    },
  ],
  (m, to) => [{ type: 'cap_retrieve_request', ...head(m, to, m.context.core) }],
  (m, to) => [{ type: 'cap_move_request', ...head(m, to, m.context.core), relations: m.prng.nextInt(8) }],
  (m, to) => [
    {
      type: 'cap_retype_request',
      ...head(m, to, m.context.core),
      offset: 0,
      kind: typeRow('Frame').ordinal,
      size: PAGE,
      count: 1,
      fields: [],
    },
  ],
  (m, to) => {
    const op = m.context.operations.nextId();
    const target = covet(m, to);
    return [
      capabilityRound(m, { op, action: 'revoke', phase: PHASES.prepare }, target),
      capabilityRound(m, { op, action: 'revoke', phase: PHASES.commit }, target),
    ];
  },
  (m, to) => [round(m, 'delete_remote', to)],
  (m, to) => [round(m, 'update_owner', to, [oneOf(m, [m.context.core, to, anybodyBut(m, to)])])],
  (m, to) => [round(m, 'find_copy', to)],
  // In the name of the receiver itself, and of a third core.
  (m, to) => [capabilityRound(m, { op: nameOf(m, to), action: 'revoke', phase: PHASES.prepare }, covet(m, to))],
  (m, to) => {
    const op = nameOf(m, anybodyBut(m, to));
    return [capabilityRound(m, { op, action: 'delete_remote', phase: PHASES.commit }, covet(m, to))];
  },
  (m, to) => [{ type: 'cap_retrieve_request', ...head(m, to, anybodyBut(m, to)) }],
  (m, to) => {
    const { address, size } = covet(m, to);
    const { view, operations } = m.context;
    return [{ type: 'cap_reclaim_request', op: operations.nextId(), view, certain: true, ranges: [address, size] }];
  },
  (m, to) => {
    const { address, size } = covet(m, to);
    return [{ type: 'ram_steal_reply', op: m.context.operations.nextId(), error: 0, address, size }];
  },
  // Accuses any member, so that the view goes on without it.
  (m) => {
    const { view, members, monitors } = m.context;
    const accused = members.flatMap((core) => [core, monitors.get(core)?.incarnation ?? 1]);
    return [{ type: 'view_accuse', view, accused }];
  },
  (m, to) => pageForgeries(m, Math.floor(covet(m, to).address / PAGE)),
];

function pageForgeries(m: Mischief, page: number): readonly Message[] {
  const request = m.prng.nextInt(100);
  return oneOf<readonly Message[]>(m, [
    [{ type: 'page_request', page, request, want: m.prng.nextInt(3), has: false }],
    [{ type: 'page_put', page, request, offset: 0, data: new Uint8Array(8) }],
    [{ type: 'page_reset', op: m.context.operations.nextId(), address: page * PAGE, size: PAGE }],
    [{ type: 'page_invalidate', page, transaction: request, version: request }],
    [{ type: 'page_fetch', page, transaction: request, keep: 0 }],
    [
      {
        type: 'page_grant',
        page,
        request,
        transaction: request,
        version: request,
        state: 2,
        current: false,
        data: new Uint8Array(PAGE),
      },
    ],
  ]);
}

function round(
  m: Mischief,
  action: 'delete_remote' | 'update_owner' | 'find_copy',
  to: CoreId,
  rest: readonly number[] = [],
): Message {
  const op = m.context.operations.nextId();
  return capabilityRound(m, { op, action, phase: PHASES.commit }, covet(m, to), rest);
}

function head(m: Mischief, to: CoreId, as: CoreId) {
  return { op: nameOf(m, as), view: m.context.view, cap: encodeCapability(covet(m, to)) };
}

/** An operation's id in the name of a core. */
function nameOf({ context, prng }: Mischief, core: CoreId): string {
  if (core === context.core) return context.operations.nextId();
  return `${core}.${context.monitors.get(core)?.incarnation ?? 1}.${prng.nextInt(1000)}`;
}

/**
 * A capability to grab: one that this core has seen of others, with all rights, or that the receiver or a third core
 * may have.
 */
function covet(m: Mischief, to: CoreId): Capability {
  const { state, prng } = m;
  if (prng.nextInt(2) === 0) {
    const seen: Capability[] = [];
    state.database.visitGroups((group) => {
      if (state.isForeign(group)) seen.push(group.capability);
      return seen.length >= 100;
    });
    if (seen.length > 0) {
      const { type, address, size, fields } = oneOf(m, seen);
      return makeCapability(type, address, size, fields);
    }
  }
  const { size } = state.memory;
  const home = oneOf(m, [to, anybodyBut(m, to)]);
  const type = oneOf(m, TYPES);
  if (type === 'PhysAddr') return makeCapability(type, home * size, size);
  return makeCapability(
    type,
    home * size + PAGE * prng.nextInt(PAGES),
    PAGE,
    typeRow(type).fields.map(() => 1),
  );
}
