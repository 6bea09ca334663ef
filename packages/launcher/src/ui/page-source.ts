import type { ActionArgs, PageEvent, Watched } from '@mk/ui/model/page-events';

/** What somebody looks at that is only reported on request. */
export interface Attention {
  readonly what: ReadonlySet<Watched>;
  readonly root: number;
  readonly plan: string;
}

/** Where a page's events come from: a running cluster, or a recording. */
export interface PageSource {
  /** All that a newly opened page must be told, hello first. */
  opening(): readonly PageEvent[];
  /** Reports every event from now on; called before a page opens. */
  start(tell: (event: PageEvent) => void): void;
  /** Nobody looks any more: stop all work. */
  rest(): void;
  attend(attention: Attention): void;
  /** The token that permits actions; null: there are none. */
  readonly token: string | null;
  /** Performs an action; resolves with mkctl's output, rejects with its error. */
  act(verb: string, args: ActionArgs): Promise<string>;
}
