import type { ActionArgs, PageEvent, Watched } from '@mk/ui/model/page-events';

/** Views that are reported only while somebody looks at them. */
export interface Attention {
  readonly what: ReadonlySet<Watched>;
  readonly root: number;
  readonly plan: string;
}

/** The source of a page's events: a running cluster, or a recording. */
export interface PageSource {
  /** Everything that a new page must be told, hello first. */
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
