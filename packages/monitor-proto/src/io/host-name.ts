import { readFileSync } from 'node:fs';

export const LONGEST_HOST_NAME = 255;
const HOST_NAME = /^[\x21-\x7e]{1,255}$/;

/** Whether a host may be called so: printable ASCII without blanks, for it becomes an atom of the knowledge base and a cell of tables. */
export function isHostName(value: unknown): value is string {
  return typeof value === 'string' && HOST_NAME.test(value);
}

/**
 * What tells the host of this process from others: the id that its kernel drew when it booted, which containers see as well, where a
 * machine id is the image's or nobody's. Null where there is none: not Linux. Two engines on one kernel are one host by it.
 */
export function bootId(path = '/proc/sys/kernel/random/boot_id'): string | null {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return isHostName(text) ? text : null;
  } catch {
    return null;
  }
}
