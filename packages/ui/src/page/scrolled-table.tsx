import type { ComponentChildren } from 'preact';
import { ColumnHeads } from './column-heads.tsx';

interface Props {
  /** What it is, for who cannot see it. */
  readonly label: string;
  readonly caption?: string;
  /** What each column is. */
  readonly names: readonly string[];
  /** The rows. */
  readonly children: ComponentChildren;
}

/** A table that scrolls by itself where the page is narrower, by keyboard too. */
export function ScrolledTable({ label, caption, names, children }: Props) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        {caption !== undefined && <caption>{caption}</caption>}
        <ColumnHeads names={names} />
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
