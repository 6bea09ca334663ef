import type { OctopusRequest, TriggerSpec } from '@mk/monitor-proto/octopus/requests';
import { type ParsedRecord, parseRecord } from '@mk/monitor-proto/octopus/record';
import { Refusal } from './results.ts';

/** A request that only reads records. */
export type Look = Extract<OctopusRequest, { type: 'get' | 'get_names' | 'exists' }>;

export function isLook(request: OctopusRequest): request is Look {
  const { type } = request;
  return type === 'get' || type === 'get_names' || type === 'exists';
}

/** The query of a look; with `sequence`, by its concrete name. */
export function soughtBy(request: Look): ParsedRecord {
  const query = parseRecord(request.query);
  if (request.sequence !== true) return query;
  return { ...query, name: { kind: 'sequence', base: concreteName(query) } };
}

export function isBare({ attributes, constraints }: ParsedRecord): boolean {
  return attributes.size === 0 && constraints.length === 0;
}

export function concreteName({ name }: ParsedRecord): string {
  if (name.kind !== 'is') throw new Refusal('NO_CONCRETE_NAME');
  return name.name;
}

/** A `set` watches its record by name: with attributes it would miss the next change. */
export function byName(name: string): ParsedRecord {
  return { name: { kind: 'is', name }, attributes: new Map(), constraints: [] };
}

export function triggerOf(request: OctopusRequest): TriggerSpec | undefined {
  return 'trigger' in request ? request.trigger : undefined;
}
