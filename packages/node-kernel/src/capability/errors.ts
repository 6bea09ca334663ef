/** What a capability operation may answer. `definite`: the operation certainly did not happen. */
export interface ErrorRow {
  readonly definite: boolean;
  readonly doc: string;
}

const definite = (doc: string): ErrorRow => ({ definite: true, doc });

export const CAPABILITY_ERRORS = {
  retry_through_monitor: definite('The CPU driver alone cannot finish this; ask the monitor of this core.'),
  capability_busy: definite('The capability is locked or frozen by another operation; try again later.'),
  capability_not_found: definite('No capability there, or one that is being revoked and so reads as absent.'),
  capability_foreign: definite('Another core owns this capability and only the owner may do this.'),
  capability_malformed: definite('The bytes received do not describe a capability.'),
  capability_being_revoked: definite('A revoke on this core covers the capability; it is not accepted.'),
  owner_mismatch: definite('Copies already on this core name another owner.'),
  not_moveable: definite('Capabilities of this type stay with the core that made them.'),
  not_sendable: definite('Capabilities of this type, or without the grant right, cannot leave the core.'),
  missing_right: definite('The capability is held, but without a right that the operation needs.'),
  rights_not_subset: definite('Mint can only take rights away.'),
  address_out_of_range: definite('The capability address points outside its CNode.'),
  not_a_cnode: definite('A CNode was needed on the way to the slot, and there is something else.'),
  slot_in_use: definite('The destination slot is not empty.'),
  slot_type: definite('A slot of an L1 CNode holds only L2 CNodes.'),
  no_free_slot: definite('Every slot is in use.'),
  offset_alignment: definite('The offset does not suit the alignment of the type asked for.'),
  size_alignment: definite('The object size does not suit the size rule of the type asked for.'),
  retype_mapping: definite('Mapping capabilities are made by map, never by retype.'),
  retype_illegal: definite('The source type cannot be retyped to the type asked for.'),
  retype_whole: definite('Retyping the whole of a capability to its own type makes nothing new: copy it.'),
  retype_count: definite('The count is zero, above the limit, or not one for a type with fields of its own.'),
  retype_fields: definite('The fields of the new capability are missing, too many or not whole numbers.'),
  retype_too_large: definite('The objects asked for do not fit in the source.'),
  revoke_first: definite('Part of the source is already covered by another capability; revoke or delete that first.'),
  cnode_not_larger: definite('The new root CNode must be empty, on this core, and larger than the old one.'),
  out_of_memory: definite('No free range of this size and alignment.'),
} as const satisfies Record<string, ErrorRow>;

export type CapabilityError = keyof typeof CAPABILITY_ERRORS;

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: CapabilityError };

export function succeed<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refuse(error: CapabilityError): { readonly ok: false; readonly error: CapabilityError } {
  return { ok: false, error };
}
