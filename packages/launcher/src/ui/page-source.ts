import type { ActionArgs, PageEvent, Watched } from '@mk/ui/model/page-events';

/** What somebody looks at that is not told unasked. */
export interface Attention {
  readonly what: ReadonlySet<Watched>;
  readonly root: number;
  readonly plan: string;
}

/** Where a page's events come from: a running cluster, or a recording. */
export interface PageSource {
  /** All that a page that opens now has to be told, hello first. */
  opening(): readonly PageEvent[];
  /** Tells every event from now on; called before a page opens. */
  start(tell: (event: PageEvent) => void): void;
  /** Nobody looks any more: it costs nothing from now on. */
  rest(): void;
  attend(attention: Attention): void;
  /** The token that allows to act; null: nothing can be done here. */
  readonly token: string | null;
  /** Does something; what mkctl would have said. Throws its error. */
  act(verb: string, args: ActionArgs): Promise<string>;
}
