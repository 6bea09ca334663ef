import type { ComponentChildren } from 'preact';
import { ColumnHeads } from './column-heads.tsx';

interface Props {
  /** Its name for screen readers. */
  readonly label: string;
  readonly caption?: string;
  /** The column heads. */
  readonly names: readonly string[];
  /** The rows. */
  readonly children: ComponentChildren;
}

/** A table that scrolls by itself on a narrow page, also by keyboard. */
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
