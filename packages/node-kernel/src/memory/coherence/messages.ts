/**
 * The messages between a page's home and its holders. All travel on one lane between two cores: FIFO until the peer is
 * gone. With data on one lane and its invalidation on another, a page could be installed after its invalidation was
 * acknowledged.
 */
import type { CoreId } from '@mk/monitor-proto/ids';

/** What a core may do with its copy of a page: nothing, read it, or, as the only holder, write it. */
export type PageState = 'invalid' | 'shared' | 'modified';

/** A requester's need. A snapshot is the bytes of one moment; its holder does not enter the directory. */
export type Want = 'read' | 'write' | 'snapshot';

/** An atomic operation performed by the home; the old value is the answer. */
export type AtomicOperation = 'add' | 'swap' | 'compare_and_swap' | 'and' | 'or';

export interface AtomicRequest {
  readonly operation: AtomicOperation;
  /** Bytes from the page's start, a multiple of 8. */
  readonly offset: number;
  readonly operand: bigint;
  /** `compare_and_swap` only: the expected value. */
  readonly expected: bigint;
}

export type PageMessage =
  /** Requester → home. `has`: the requester held a shared copy when it asked, and keeps it unless it is invalidated. */
  | {
      readonly type: 'page_request';
      readonly page: number;
      readonly request: number;
      readonly want: Want;
      readonly has: boolean;
    }
  | { readonly type: 'page_atomic'; readonly page: number; readonly request: number; readonly atomic: AtomicRequest }
  /** Home → requester. `data` null: the requester's copy is current. */
  | {
      readonly type: 'page_grant';
      readonly page: number;
      readonly request: number;
      readonly transaction: number;
      readonly version: number;
      readonly state: PageState;
      readonly data: Uint8Array | null;
    }
  /** Requester → home: installed; the home may begin the page's next transaction. */
  | { readonly type: 'page_granted'; readonly page: number; readonly transaction: number }
  | { readonly type: 'page_refused'; readonly page: number; readonly request: number; readonly error: PageError }
  | { readonly type: 'page_atomic_reply'; readonly page: number; readonly request: number; readonly old: bigint }
  /** Home → sharer, and its answer once nobody on that core reads the page. */
  | { readonly type: 'page_invalidate'; readonly page: number; readonly transaction: number; readonly version: number }
  | {
      readonly type: 'page_invalidated';
      readonly page: number;
      readonly transaction: number;
      readonly cores: readonly CoreId[];
    }
  /** Home → owner: send the bytes, and keep a shared copy or none. `data` null: written back before, or home's own. */
  | { readonly type: 'page_fetch'; readonly page: number; readonly transaction: number; readonly keep: PageState }
  | {
      readonly type: 'page_data';
      readonly page: number;
      readonly transaction: number;
      readonly version: number;
      readonly held: boolean;
      readonly data: Uint8Array | null;
    }
  /** Owner → home, unasked: the owner no longer holds the page. */
  | { readonly type: 'page_writeback'; readonly page: number; readonly version: number; readonly data: Uint8Array }
  /** Holder of an incoherent copy → home: these bytes belong in the page; and the confirmation. */
  | {
      readonly type: 'page_put';
      readonly page: number;
      readonly request: number;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  | { readonly type: 'page_put_reply'; readonly page: number; readonly request: number };

export type PageMessageOf<T extends PageMessage['type']> = Extract<PageMessage, { readonly type: T }>;

/** Why an access to a page can fail. */
export type PageError = 'PAGE_LOST' | 'HOME_LOST' | 'PAGE_GONE';
