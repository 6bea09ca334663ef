import type { MessageSpec } from './spec.ts';

/**
 * Between monitors: capabilities. Ordinals 100–139. All in one lane, so that they keep their order between two cores.
 * What concerns every core (revoke, find, delete, change of owner, range check, reclaim) goes as agreement rounds.
 * `error` 0 is success; `owner` in a refusal is whom to ask instead, or the sender itself.
 */
export const CAPABILITY_MESSAGES = {
  cap_copy_request: {
    ordinal: 100, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', view: 'u32', cap: 'cap', core: 'u32', domain: 'u32' },
    doc: 'A foreign holder asks the owner to send a copy with these rights to a domain of a core.',
  },
  cap_copy_reply: {
    ordinal: 101, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', error: 'u32', owner: 'u32', slot: 'int' },
    doc: 'The copy lies in this slot of its new holder, or an error.',
  },
  cap_receive_request: {
    ordinal: 102, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', view: 'u32', cap: 'cap', owner: 'u32', relations: 'u32', domain: 'u32' },
    doc: 'The owner hands a copy to a domain; owner = receiver: ownership comes with it (the last copy is given away).',
  },
  cap_receive_reply: {
    ordinal: 103, from: 'core', to: 'core', lane: 'monitor', fields: { op: 'str', error: 'u32', slot: 'int' },
    doc: 'The copy was taken into this slot, or an error and nothing was taken.',
  },
  cap_move_request: {
    ordinal: 104, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', view: 'u32', cap: 'cap', relations: 'u32' },
    doc: 'The owner asks a holder to become the owner.',
  },
  cap_move_reply: {
    ordinal: 105, from: 'core', to: 'core', lane: 'monitor', fields: { op: 'str', error: 'u32' },
    doc: 'The sender is the owner from now on, or an error and it is not.',
  },
  cap_retrieve_request: {
    ordinal: 106, from: 'core', to: 'core', lane: 'monitor', fields: { op: 'str', view: 'u32', cap: 'cap' },
    doc: 'A foreign holder asks the owner for ownership.',
  },
  cap_retrieve_reply: {
    ordinal: 107, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', error: 'u32', owner: 'u32', relations: 'u32' },
    doc: 'The requester is the owner from now on, with these relations; or an error and it is not.',
  },
  cap_retype_request: {
    ordinal: 108, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', view: 'u32', cap: 'cap', offset: 'int', kind: 'u32', size: 'int', count: 'u32', fields: 'u32s' },
    doc: 'A foreign holder asks the owner whether it may make these objects of its copy.',
  },
  cap_retype_reply: {
    ordinal: 109, from: 'core', to: 'core', lane: 'monitor', fields: { op: 'str', error: 'u32', owner: 'u32' },
    doc: 'Nothing is in the way and the owner holds its lock until cap_retype_created; or an error.',
  },
  cap_retype_created: {
    ordinal: 110, from: 'core', to: 'core', lane: 'monitor', fields: { op: 'str', created: 'bool' },
    doc: 'The requester has made its objects, or will not: the owner may unlock.',
  },
  cap_reclaim_request: {
    ordinal: 111, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', view: 'u32', certain: 'bool', ranges: 'floats' },
    doc: 'Memory that lost a capability, to its home; address and size of each range in turn. certain: nobody covers it.',
  },
  cap_reclaim_reply: {
    ordinal: 112, from: 'core', to: 'core', lane: 'monitor', fields: { op: 'str', freed: 'float' },
    doc: 'The home has freed what nobody covers; bytes.',
  },
} as const satisfies Record<string, MessageSpec>;
