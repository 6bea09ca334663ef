/** Communication with the parent process, over the IPC channel that it keeps. */

import { isRecord } from '../guards.ts';
import type { CoreId } from '../ids.ts';

/** A message from a process to its parent. */
export type ParentMessage =
  | /** `links`: where it accepts links, if not at `address`. */
    { readonly type: 'listening'; readonly address: string; readonly links?: string }
  | { readonly type: 'registered'; readonly core: CoreId; readonly incarnation: number }
  /** A core has its first lease in a view. */
  | { readonly type: 'takes_part'; readonly view: number }
  | { readonly type: 'progress'; readonly members: number; readonly links: number; readonly expected: number }
  | { readonly type: 'mesh_complete'; readonly cores: number; readonly links: number; readonly elapsedMs: number }
  /** The process carries on, but its operator should know. */
  | { readonly type: 'warning'; readonly text: string }
  | { readonly type: 'failed'; readonly error: string };

export function tellParent(message: ParentMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Calls `ended` when the parent disappears (unless this process is detached) or asks it to end. */
export function watchParent(detached: boolean, ended: (reason: string) => void): void {
  if (detached) process.channel?.unref();
  process.on('disconnect', () => {
    if (!detached) ended('the parent process is gone');
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended(signal));
}

/**
 * A message from a parent to its child: to a core, the SKB's address; to the SKB, the machine description, which is too
 * large for an environment variable.
 */
export type ChildMessage =
  { readonly type: 'skb'; readonly address: string } | { readonly type: 'machine'; readonly machine: unknown };

/** Resolves to the SKB's address, once the parent knows it. */
export function addressFromParent(): Promise<string> {
  return toldByParent('skb', ({ address }) => (typeof address === 'string' ? address : undefined));
}

/** Resolves to the machine description that follows the settings. */
export function machineFromParent<T>(): Promise<T> {
  return toldByParent('machine', ({ machine }) => machine as T);
}

function toldByParent<T>(
  type: ChildMessage['type'],
  read: (message: Readonly<Record<string, unknown>>) => T | undefined,
): Promise<T> {
  return new Promise((resolve) => {
    const listen = (message: unknown): void => {
      const value = isRecord(message) && message['type'] === type ? read(message) : undefined;
      if (value === undefined) return;
      process.off('message', listen);
      resolve(value);
    };
    process.on('message', listen);
  });
}
