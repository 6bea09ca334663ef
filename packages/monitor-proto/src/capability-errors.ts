/**
 * Errors of capability operations. All are definite: the operation certainly did not happen. `again` marks a conflict
 * with another operation: the same call may succeed soon, and the caller's library retries it.
 */
export const CAPABILITY_ERRORS = {
  RETRY_THROUGH_MONITOR: {
    code: 100,
    definite: true,
    doc: 'The CPU driver alone cannot finish this; ask the monitor of this core.',
  },
  CAPABILITY_BUSY: {
    code: 101,
    definite: true,
    again: true,
    doc: 'The capability is locked or frozen by another operation; try again later.',
  },
  CAPABILITY_NOT_FOUND: {
    code: 102,
    definite: true,
    doc: 'No capability there, or one that is being revoked and so reads as absent.',
  },
  CAPABILITY_FOREIGN: {
    code: 103,
    definite: true,
    again: true,
    doc: 'Another core owns this capability and only the owner may do this.',
  },
  CAPABILITY_MALFORMED: { code: 104, definite: true, doc: 'The bytes received do not describe a capability.' },
  CAPABILITY_BEING_REVOKED: {
    code: 105,
    definite: true,
    again: true,
    doc: 'A revoke on this core covers the capability, so it is not accepted.',
  },
  OWNER_MISMATCH: { code: 106, definite: true, again: true, doc: 'Copies already on this core name another owner.' },
  NOT_MOVEABLE: { code: 107, definite: true, doc: 'Capabilities of this type stay with the core that made them.' },
  NOT_SENDABLE: {
    code: 108,
    definite: true,
    doc: 'Capabilities of this type, or without the grant right, cannot leave the core.',
  },
  MISSING_RIGHT: {
    code: 109,
    definite: true,
    doc: 'The capability is held, but without a right that the operation needs.',
  },
  RIGHTS_NOT_SUBSET: {
    code: 110,
    definite: true,
    doc: 'More rights were asked for than the capability carries: a copy or a mapping can only have fewer.',
  },
  ADDRESS_OUT_OF_RANGE: { code: 111, definite: true, doc: 'The capability address points outside its CNode.' },
  NOT_A_CNODE: {
    code: 112,
    definite: true,
    doc: 'A CNode was needed on the way to the slot, and there is something else.',
  },
  SLOT_IN_USE: { code: 113, definite: true, doc: 'The destination slot is occupied.' },
  SLOT_TYPE: { code: 114, definite: true, doc: 'An L1 CNode holds only L2 CNodes.' },
  NO_FREE_SLOT: { code: 115, definite: true, doc: 'Every slot is in use.' },
  OFFSET_ALIGNMENT: { code: 116, definite: true, doc: 'The offset does not meet the alignment of the requested type.' },
  SIZE_ALIGNMENT: {
    code: 117,
    definite: true,
    doc: 'The object size breaks the size rule of the requested type.',
  },
  RETYPE_MAPPING: { code: 118, definite: true, doc: 'Mapping capabilities are made by map, never by retype.' },
  RETYPE_ILLEGAL: { code: 119, definite: true, doc: 'The source type cannot be retyped to the requested type.' },
  RETYPE_WHOLE: {
    code: 120,
    definite: true,
    doc: 'Retyping a whole capability to its own type creates nothing: copy it instead.',
  },
  RETYPE_COUNT: {
    code: 121,
    definite: true,
    doc: 'The count is zero or above the limit, or is not 1 for a type with fields of its own.',
  },
  RETYPE_FIELDS: {
    code: 122,
    definite: true,
    doc: 'The fields of the new capability are missing, too many or not whole numbers.',
  },
  RETYPE_TOO_LARGE: { code: 123, definite: true, doc: 'The requested objects do not fit in the source.' },
  REVOKE_FIRST: {
    code: 124,
    definite: true,
    doc: 'Another capability already covers part of the source; revoke or delete that first.',
  },
  CNODE_NOT_LARGER: {
    code: 125,
    definite: true,
    doc: 'The new root CNode must be empty, on this core, and larger than the old one.',
  },
  OUT_OF_MEMORY: { code: 126, definite: true, doc: 'No free range of this size and alignment.' },
  MEMBERS_CHANGED: {
    code: 127,
    definite: true,
    again: true,
    doc: 'A core has joined that the operation does not know yet; try again later.',
  },
  CAPABILITY_HELD: {
    code: 128,
    definite: true,
    doc: 'The core holds a copy. Monitors answer one another so; a program never sees it.',
  },
  NO_SUCH_DOMAIN: { code: 129, definite: true, doc: 'No domain of that number runs on the core.' },
  BAD_SYSTEM_CALL: {
    code: 130,
    definite: true,
    doc: 'The CPU driver has no such call, or the arguments have the wrong form.',
  },
  NO_CSPACE: { code: 131, definite: true, doc: 'The caller is not a domain of this core with a cspace.' },
  CONSENT_REFUSED: { code: 132, definite: true, doc: 'A subscriber to revocations of this memory did not consent.' },
  NOT_A_PAGE_TABLE: { code: 133, definite: true, doc: 'The table to map into must be a VNode.' },
  NOT_MAPPABLE: { code: 134, definite: true, doc: 'Capabilities of this type cannot be mapped.' },
  MAP_LEVEL: {
    code: 135,
    definite: true,
    doc: 'A table takes tables of the next level, or frames; the root takes no frames.',
  },
  MAP_RANGE: { code: 136, definite: true, doc: 'The entries, or the bytes they would cover, lie outside the object.' },
  MAP_OFFSET: {
    code: 137,
    definite: true,
    doc: 'The physical address is not aligned to an entry of the table.',
  },
  ENTRY_IN_USE: { code: 138, definite: true, doc: 'An entry of the page table is in use; unmap it first.' },
  NOT_A_MAPPING: { code: 139, definite: true, doc: 'The operation takes a Mapping capability.' },
} as const;
