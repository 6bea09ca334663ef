import { readFileSync } from 'node:fs';

export const LONGEST_HOST_NAME = 255;
const HOST_NAME = /^[\x21-\x7e]{1,255}$/;

/**
 * Whether a value can name a host: printable ASCII without blanks, because it becomes an atom of the knowledge base and
 * a table cell.
 */
export function isHostName(value: unknown): value is string {
  return typeof value === 'string' && HOST_NAME.test(value);
}

/**
 * Tells this process's host from others by the id that the kernel draws at boot. Containers see it too, where a machine
 * id is missing or comes from the image. Null when not on Linux. Two engines on one kernel count as one host.
 */
export function bootId(path = '/proc/sys/kernel/random/boot_id'): string | null {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return isHostName(text) ? text : null;
  } catch {
    return null;
  }
}
