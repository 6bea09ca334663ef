/** The unit of page numbers. */
export const PAGE_BYTES = 4096;

/** Rights of a mapping for people: `rw-`. */
export function rightsText(rights: number): string {
  return ['r', 'w', 'x'].map((letter, i) => ((rights >> i) & 1 ? letter : '-')).join('');
}
