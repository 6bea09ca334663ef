/** The process that started this one, where it keeps an IPC channel to it. */

/** What a process tells the one that started it. */
export type ParentMessage =
  | { readonly type: 'listening'; readonly address: string }
  | { readonly type: 'registered'; readonly core: number; readonly incarnation: number }
  | { readonly type: 'progress'; readonly members: number; readonly links: number; readonly expected: number }
  | { readonly type: 'mesh_complete'; readonly cores: number; readonly links: number; readonly elapsedMs: number }
  | { readonly type: 'failed'; readonly error: string };

export function tellParent(message: ParentMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Calls `ended` when the parent is gone without a word (unless this process is detached), or asks for an end. */
export function watchParent(detached: boolean, ended: (reason: string) => void): void {
  if (detached) process.channel?.unref();
  process.on('disconnect', () => {
    if (!detached) ended('the parent process is gone');
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended(signal));
}

/** Resolves to the SKB's address, once the parent knows it. */
export function addressFromParent(): Promise<string> {
  return new Promise((resolve) => {
    const listen = (message: unknown): void => {
      const { type, address } = (message ?? {}) as { type?: unknown; address?: unknown };
      if (type !== 'skb' || typeof address !== 'string') return;
      process.off('message', listen);
      resolve(address);
    };
    process.on('message', listen);
  });
}
