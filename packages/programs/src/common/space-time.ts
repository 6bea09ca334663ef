/** An act of one of several threads, with its begin and end on one clock. */
export interface Span {
  readonly column: number;
  readonly text: string;
  readonly beganNs: number;
  readonly endedNs: number;
}

interface Row {
  readonly at: number;
  readonly column: number;
  readonly mark: '┬' | '┴' | '●';
  readonly text: string;
}

/**
 * A space-time picture in lines: a column per thread, time downwards; `┬` begins an access, `┴` ends it, `●` took no
 * time on the clock. Times are microseconds since the first.
 */
export function spaceTimeLines(heads: readonly string[], spans: readonly Span[]): readonly string[] {
  const rows = rowsOf(spans);
  const first = rows[0]?.at ?? 0;
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.filter((row) => row.column === column).map(({ text }) => text.length + 2)),
  );
  const open = heads.map(() => false);
  const line = (time: string, cells: readonly string[]): string =>
    `${time.padStart(12)}  ${cells.map((cell, i) => cell.padEnd((widths[i] ?? 0) + 2)).join('')}`.trimEnd();
  return [
    line('us', heads),
    ...rows.map(({ at, column, mark, text }) => {
      open[column] = mark === '┬';
      const cells = heads.map((_, i) => (i === column ? `${mark} ${text}` : open[i] === true ? '│' : ''));
      return line(((at - first) / 1000).toFixed(1), cells);
    }),
  ];
}

/** In order of time; simultaneous ends precede beginnings. */
function rowsOf(spans: readonly Span[]): readonly Row[] {
  const rows = spans.flatMap(({ column, text, beganNs, endedNs }): Row[] =>
    beganNs === endedNs
      ? [{ at: endedNs, column, mark: '●', text }]
      : [
          { at: beganNs, column, mark: '┬', text: '' },
          { at: endedNs, column, mark: '┴', text },
        ],
  );
  const rank = { '┴': 0, '●': 1, '┬': 2 };
  return rows.sort((a, b) => a.at - b.at || (a.column === b.column ? 0 : rank[a.mark] - rank[b.mark]));
}
