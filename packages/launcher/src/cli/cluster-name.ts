import { UsageError } from './usage-error.ts';

/** The name becomes part of files and sockets, and of the first frame of each link. */
const NAME = /^[a-z0-9][a-z0-9_.-]{0,40}$/i;
export const CLUSTER_NAMES = 'up to 41 letters, digits, dots, dashes and underscores';

export function isClusterName(name: string): boolean {
  return NAME.test(name);
}

/** Returns a valid name unchanged; throws a UsageError otherwise. */
export function checkClusterName(name: string): string {
  if (isClusterName(name)) return name;
  throw new UsageError(`${JSON.stringify(name)} cannot name a cluster; use ${CLUSTER_NAMES}`);
}
