import type { Session } from './session.ts';

/** The selection on this page, in every view. */
export interface Choice {
  readonly selected: ReadonlySet<number | 'skb'>;
  readonly root: number | null;
  readonly plan: string;
  readonly op: string | null;
}

export interface ViewProps {
  readonly session: Session;
  readonly choice: Choice;
  choose(change: Partial<Choice>): void;
  open(view: string): void;
}
