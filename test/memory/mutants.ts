import type { Kernel } from '@mk/node-kernel/kernel';
import { AddressSpace } from '@mk/node-kernel/memory/address-space';

/** One planted bug: its effect on a kernel, the part of the program that shows it, and what has to detect it. */
export interface MemoryMutant {
  readonly name: string;
  readonly part: 'shared' | 'contended' | 'spinning' | 'protecting' | 'revoking';
  /** Numbers of invariants, or `program`: the program itself notices wrong bytes. */
  readonly seenBy: readonly string[];
  plant(kernel: Kernel, core: number): void;
}

type Loose = Record<string, (...args: never[]) => unknown>;

/** Replaces a method of an object; the new one can call the old one. */
function replace(
  target: object,
  name: string,
  make: (old: (...args: unknown[]) => unknown) => (...args: never[]) => unknown,
): void {
  const loose = target as unknown as Loose;
  loose[name] = make((loose[name] as (...args: unknown[]) => unknown).bind(target));
}

export const MEMORY_MUTANTS: readonly MemoryMutant[] = [
  {
    name: 'an invalidation is acknowledged before the dispatcher has quiesced',
    part: 'contended',
    seenBy: ['M1', 'M3', 'M6', 'program'],
    plant: ({ services }) =>
      replace(services.pages.copies, 'quiesce', () => (_page: number, done: () => void) => done()),
  },
  {
    name: 'an invalidated copy stays readable',
    part: 'shared',
    seenBy: ['M1', 'M3'],
    plant: ({ services }) =>
      replace(
        services.pages.copies,
        'setState',
        (old) => (page: number, state: string) => (state === 'invalid' ? undefined : old(page, state)),
      ),
  },
  {
    name: 'an owner that is asked for the page keeps the right to write',
    part: 'shared',
    seenBy: ['M1'],
    plant: ({ services }) =>
      replace(
        services.pages.copies,
        'setState',
        (old) => (page: number, state: string) =>
          state === 'shared' && services.pages.copies.wordOf(page) === 2 ? undefined : old(page, state),
      ),
  },
  {
    name: 'the directory drops a sharer',
    part: 'shared',
    seenBy: ['M1', 'M3'],
    plant: ({ services }) =>
      replace(
        services.pages as unknown as object,
        'send',
        (old) =>
          (to: number, message: { readonly type: string; readonly page: number; readonly transaction: number }) => {
            if (message.type !== 'page_invalidate') return old(to, message);
            // Answers for the holder without asking it.
            const cores = [to];
            const { page, transaction } = message;
            const own = (services.pages as unknown as { own: object[] }).own;
            return own.push({ type: 'page_invalidated', page, transaction, cores });
          },
      ),
  },
  {
    name: 'a grant brings the bytes of another moment',
    part: 'shared',
    seenBy: ['M2', 'program'],
    plant: ({ services }, core) =>
      core === 0 &&
      replace(
        services.pages as unknown as object,
        'send',
        (old) => (to: number, message: { type: string; data?: Uint8Array | null }) =>
          old(
            to,
            message.type === 'page_grant' && message.data
              ? { ...message, data: new Uint8Array(message.data.length) }
              : message,
          ),
      ),
  },
  {
    name: 'an owner answers with no bytes',
    part: 'shared',
    seenBy: ['M2', 'program'],
    plant: ({ services }) =>
      replace(
        services.pages as unknown as object,
        'send',
        (old) => (to: number, message: { type: string }) =>
          old(to, message.type === 'page_data' ? { ...message, data: null } : message),
      ),
  },
  {
    name: 'a core acknowledges an unmap and keeps the translation',
    part: 'spinning',
    seenBy: ['V2', 'VS1', 'program'],
    plant: ({ services }) => replace(services.addressSpaces.translations, 'drop', () => () => []),
  },
  {
    name: 'a translation is dropped and the page is not relocated',
    part: 'spinning',
    seenBy: ['program'],
    plant: ({ services }) =>
      replace(services.pages.copies, 'relocate', () => (_page: number, done: () => void) => done()),
  },
  {
    name: 'the home does not remember who holds a translation',
    part: 'spinning',
    seenBy: ['V2', 'program'],
    plant: ({ services }) =>
      replace(services.addressSpaces as unknown as object, 'onTranslate', (old) => (...args: never[]) => {
        const { hold } = AddressSpace.prototype;
        AddressSpace.prototype.hold = () => undefined;
        old(...args);
        AddressSpace.prototype.hold = hold;
      }),
  },
  {
    name: 'unmap returns before the round has ended',
    part: 'spinning',
    seenBy: ['program'],
    plant: (kernel) =>
      replace(
        kernel.services.addressSpaces,
        'whenSettled',
        () => (goOn: (now: number) => void) => goOn(kernel.monitor.context.now),
      ),
  },
  {
    name: 'protect reaches nobody',
    part: 'protecting',
    seenBy: ['V2', 'VS1', 'program'],
    plant: ({ services }) => {
      replace(
        services.addressSpaces,
        'capabilityChanged',
        (old) => (changes: readonly { readonly kind: string }[], now: number) =>
          old(
            changes.filter(({ kind }) => kind !== 'protected'),
            now,
          ),
      );
    },
  },
  {
    name: 'memory becomes another object with its old bytes',
    part: 'revoking',
    seenBy: ['program'],
    plant: ({ services }) => replace(services.pages, 'reset', () => (_range: object, done: () => void) => done()),
  },
  {
    name: 'an atomic runs where it was asked, not at the home',
    part: 'shared',
    seenBy: ['program'],
    plant: ({ services }) => {
      const { pages } = services;
      replace(
        pages.cache,
        'atomic',
        () => (page: number, atomic: { operand: bigint; offset: number }, answer: (error: null, old: bigint) => void) =>
          pages.cache.snapshot(page, (_error, bytes) => {
            const old = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(atomic.offset, true);
            const data = new Uint8Array(8);
            new DataView(data.buffer).setBigUint64(0, old + atomic.operand, true);
            pages.cache.put(page, atomic.offset, data, () => answer(null, old));
          }),
      );
    },
  },
];
