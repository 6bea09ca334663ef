/**
 * The part of retype that one core can judge. Checks run in Barrelfish’s order: alignment, not a mapping, a legal edge,
 * the count, the fit, no overlap. The overlap rule: the retyped range may hold only the source, its copies and its
 * ancestors. Mappings and LMP endpoints take no memory and exclude nothing.
 */
import { known } from '@mk/monitor-proto/assert';
import { isAncestor, isCopy, makeCapability } from '../model/capability.ts';
import type { Capability, Range } from '../model/capability.ts';
import { liveSlot } from '../store/copy-group.ts';
import { refuse, succeed } from '@mk/monitor-proto/result';
import type { CapabilityError, Result } from '../model/errors.ts';
import { CAPABILITY_LIMITS } from '../model/limits.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { place } from './placement.ts';
import { relationsOfChild } from '../store/relations.ts';
import { hasRights, RIGHTS } from '../model/rights.ts';
import type { CopyGroup, Slot } from '../store/slot.ts';
import { isWeightless, retypeAllowed, sizeAllowed } from '../model/type-rules.ts';
import { CAPABILITY_TYPES, typeRow } from '../model/types.ts';
import type { CapabilityType } from '../model/types.ts';

export interface RetypeRequest {
  /** Bytes from the start of the source. */
  readonly offset: number;
  readonly type: CapabilityType;
  /** Bytes of each object; 0 for a type with only one size. */
  readonly objectSize: number;
  readonly count: number;
  /** For types whose fields the caller chooses (endpoint, device). */
  readonly fields?: readonly number[];
}

/** The capabilities that the retype would make, from the values alone: no database, no slots. */
export function planRetype(source: Capability, request: RetypeRequest): Result<Capability[]> {
  const error = misfit(source, request);
  if (error !== null) return refuse(error);
  const { offset, type, count, fields } = request;
  const size = objectSizeOf(request);
  const first = source.address + offset;
  return succeed(
    Array.from({ length: count }, (_, i) => makeCapability(type, first + i * size, size, fields, source.rights)),
  );
}

/** The bytes that a planned retype takes from its source. */
export function retypeRange(children: readonly Capability[]): Range {
  const [first] = children;
  return { address: known(first).address, size: known(first).size * children.length };
}

/**
 * Whether nothing that this core knows is in the way. Ask the owner first, then every core with relations; the source
 * need not be present here. CAPABILITY_BUSY: the obstacle is being deleted.
 */
export function isRetypeable(state: LocalCapabilities, source: Capability, range: Range): Result<void> {
  if (typeRow(source.type).multiRetype) return succeed(undefined);
  const conflict = retypeConflict(state, source, range);
  if (conflict === undefined) return succeed(undefined);
  return refuse(liveSlot(conflict) === undefined ? 'CAPABILITY_BUSY' : 'REVOKE_FIRST');
}

/** Creates planned capabilities in empty slots of this core, which becomes their owner. Cannot fail. */
export function createRetyped(
  state: LocalCapabilities,
  source: CopyGroup,
  children: readonly Capability[],
  slots: readonly Slot[],
): void {
  const shared = { owner: state.core, relations: relationsOfChild(state, source) };
  children.forEach((child, i) => place(state, known(slots[i]), withAssignedFields(state, child), shared));
  const range = retypeRange(children);
  const wasUntyped = source.capability.type === 'RAM' && known(children[0]).type !== 'RAM';
  if (wasUntyped) state.changes.note({ kind: 'zeroed', ...range });
}

/** The first group that excludes a retype of the range, or undefined. */
function retypeConflict(state: LocalCapabilities, source: Capability, range: Range): CopyGroup | undefined {
  let conflict: CopyGroup | undefined;
  state.database.visitOverlapping(
    range,
    (group) => {
      const { capability } = group;
      if (isWeightless(capability.type) || isCopy(capability, source) || isAncestor(capability, source)) return false;
      conflict = group;
      return true;
    },
    treeRootFor(source),
  );
  return conflict;
}

function treeRootFor(source: Capability): CapabilityType {
  return source.type === 'IRQSrc' || source.type === 'IO' ? source.type : 'PhysAddr';
}

function misfit(source: Capability, request: RetypeRequest): CapabilityError | null {
  const { offset, type, count } = request;
  if (!Object.hasOwn(CAPABILITY_TYPES, type)) return 'RETYPE_ILLEGAL';
  const row = typeRow(type);
  const size = objectSizeOf(request);
  if (!isNatural(offset) || (source.address + offset) % row.alignment !== 0) return 'OFFSET_ALIGNMENT';
  if (!isNatural(size) || !sizeAllowed(type, size)) return 'SIZE_ALIGNMENT';
  if (row.mapping) return 'RETYPE_MAPPING';
  if (!retypeAllowed(source.type, type)) return 'RETYPE_ILLEGAL';
  if (!isNatural(count) || count === 0 || count > CAPABILITY_LIMITS.retypeCount) return 'RETYPE_COUNT';
  if (size === 0 && (count !== 1 || offset !== 0)) return 'RETYPE_COUNT';
  if (!fieldsFit(request)) return 'RETYPE_FIELDS';
  if (offset + size * count > source.size) return 'RETYPE_TOO_LARGE';
  if (source.type === type && size === source.size) return 'RETYPE_WHOLE';
  const needed = source.type !== type && typeRow(source.type).needsLocality ? RIGHTS.write : 0;
  return hasRights(source.rights, needed) ? null : 'MISSING_RIGHT';
}

function objectSizeOf({ type, objectSize }: RetypeRequest): number {
  const { size } = typeRow(type);
  return size.kind === 'exact' && objectSize === 0 ? size.bytes : objectSize;
}

/** Whether the CPU driver assigns the type's fields, as for Domain and ID, so that nobody can name another's. */
function isAssigned(type: CapabilityType): boolean {
  return typeRow(type).fields[1] === 'local_id';
}

function fieldsFit({ type, fields = [] }: RetypeRequest): boolean {
  const wanted = isAssigned(type) ? 0 : typeRow(type).fields.length;
  return fields.length === wanted && fields.every(isNatural);
}

function withAssignedFields(state: LocalCapabilities, child: Capability): Capability {
  return isAssigned(child.type) ? { ...child, fields: [state.core, state.takeLocalId()] } : child;
}

function isNatural(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
