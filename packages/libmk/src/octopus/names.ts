/**
 * The name service: who offers what, and where. Source: Barrelfish `lib/barrelfish` nameservice over Octopus.
 * A registration goes with the core of the program that made it; a client that starts before its server waits for it.
 */
import type { Octopus } from './octopus.ts';
import { OctopusError, quotedName } from './octopus.ts';

/** What a service says of itself, as its clients need it: a core, an endpoint, a version. */
export type ServiceAttributes = { readonly [attribute: string]: number | string };

const PREFIX = 'service.';

/** Offers a service; throws RECORD_EXISTS if somebody does already. Returns what withdraws it. */
export async function registerService(
  octopus: Octopus,
  name: string,
  attributes: ServiceAttributes,
): Promise<() => Promise<void>> {
  const parts = Object.entries(attributes).map(([key, value]) => {
    return `${quotedName(key)}: ${typeof value === 'number' ? value : quotedName(value)}`;
  });
  const record = await octopus.set(`${quotedName(PREFIX + name)} { ${parts.join(', ')} }`, {
    exclusive: true,
    transient: true,
  });
  return async () => void (await octopus.delete(quotedName(record.name)));
}

/** What the service says of itself; undefined if nobody offers it. */
export async function lookupService(octopus: Octopus, name: string): Promise<ServiceAttributes | undefined> {
  return (await octopus.get(quotedName(PREFIX + name)))?.attributes;
}

/** Waits until somebody offers the service. */
export async function waitForService(octopus: Octopus, name: string, signal?: AbortSignal): Promise<ServiceAttributes> {
  return (await octopus.waitFor(quotedName(PREFIX + name), signal)).attributes;
}

/** Names of all services whose attributes match: `listServices(octopus, '{ kind: block }')`. */
export async function listServices(octopus: Octopus, attributes = ''): Promise<readonly string[]> {
  const names = await octopus.getNames(`r'^service\\.' ${attributes}`);
  return names.map((name) => name.slice(PREFIX.length));
}

/** Whether an error says that the name is taken. */
export function isTaken(error: unknown): boolean {
  return error instanceof OctopusError && error.name === 'RECORD_EXISTS';
}
