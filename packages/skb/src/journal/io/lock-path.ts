/** The file whose lock is the lock of the journal at a path. */
export function lockPathOf(journalPath: string): string {
  return `${journalPath}.owner`;
}
