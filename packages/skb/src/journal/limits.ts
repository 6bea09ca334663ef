/** Bounds of the journal; each with its reason. */
export const JOURNAL_LIMITS = {
  /** A commit of so many changes takes some 10 ms, during which the SKB answers nobody. */
  maxBatch: 1_000,
  /**
   * Pages of 4 KiB in the write-ahead log before they are moved into the database: 8 MiB, read in 50 ms at a restart.
   */
  checkpointPages: 2_000,
  /** When more than this share of pages is free, opening the journal gives them back. */
  vacuumShare: 0.5,
  /** Enough to recognise a row that was set aside; the table has all of it. */
  loggedRowChars: 500,
  /** How often to look whether the journal's files are gone, and whether a failed journal can be opened again. */
  lookMs: 1_000,
} as const;
