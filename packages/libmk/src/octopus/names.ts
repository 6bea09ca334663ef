/**
 * The name service: who offers what, and where. Source: Barrelfish `lib/barrelfish` nameservice over Octopus. A
 * registration goes with the core of the program that made it; a client that starts before its server waits for it.
 */
import { recipeName } from '@mk/monitor-proto/octopus/names';
import type { CancelSignal } from '../runtime/cancellation.ts';
import { HeldRecord, type Losable } from './held-record.ts';
import type { Octopus } from './octopus.ts';
import { OctopusError, quotedName } from './octopus.ts';

/** A service's attributes, for its clients: a core, an endpoint, a version. */
export type ServiceAttributes = { readonly [attribute: string]: number | string };

/** A service on offer; calling it withdraws it. */
export interface Registration extends Losable {
  /** Rejects with SERVICE_LOST if it was lost before. */
  (): Promise<void>;
}

/** Offers a service; throws RECORD_EXISTS if somebody already does. Resolves with the function that withdraws it. */
export async function registerService(
  octopus: Octopus,
  name: string,
  attributes: ServiceAttributes,
): Promise<Registration> {
  const parts = Object.entries(attributes).map(([key, value]) => {
    return `${quotedName(key)}: ${typeof value === 'number' ? value : quotedName(value)}`;
  });
  const own = recipeName('service', name);
  const record = `${quotedName(own)} { ${parts.join(', ')} }`;
  await octopus.set(record, { exclusive: true, transient: true, recipe: 'service' });
  const what = `the service ${JSON.stringify(name)}`;
  const held = new HeldRecord(octopus, own, { recipe: 'service', error: 'SERVICE_LOST', what });
  await held.orAbandon(held.watched);
  return Object.assign(() => held.release(), { lost: held.lost, signal: held.signal });
}

/** The service's attributes; undefined: it is not offered. */
export async function lookupService(octopus: Octopus, name: string): Promise<ServiceAttributes | undefined> {
  return (await octopus.get(quotedName(recipeName('service', name))))?.attributes;
}

/** Waits until somebody offers the service. */
export async function waitForService(
  octopus: Octopus,
  name: string,
  signal?: CancelSignal,
): Promise<ServiceAttributes> {
  return (await octopus.waitFor(quotedName(recipeName('service', name)), signal)).attributes;
}

/** Names of all services whose attributes match: `listServices(octopus, '{ kind: block }')`. */
export async function listServices(octopus: Octopus, attributes = ''): Promise<readonly string[]> {
  const names = await octopus.getNames(`r'^service:' ${attributes}`);
  return names.map((name) => name.slice(recipeName('service', '').length));
}

/** Whether an error means that the name is taken. */
export function isTaken(error: unknown): boolean {
  return error instanceof OctopusError && error.name === 'RECORD_EXISTS';
}
