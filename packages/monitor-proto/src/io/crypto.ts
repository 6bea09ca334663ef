import { createHmac, randomBytes } from 'node:crypto';
import type { Hmac } from '../handshake/proof.ts';

export const hmacSha256: Hmac = (key, data) => createHmac('sha256', key).update(data).digest();

/** Fresh entropy for one process. */
export function freshEntropy(): Uint8Array {
  return randomBytes(32);
}

/** A random name for one process: 32 hex digits. */
export function freshInstance(): string {
  return randomBytes(16).toString('hex');
}

/**
 * The token that callers of the control port present: derived from the cluster's secret, which itself never travels.
 */
export function controlToken(secret: Uint8Array): string {
  return createHmac('sha256', secret).update('mk control').digest('hex');
}
