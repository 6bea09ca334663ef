/** Bounds of the journal; each with its reason. */
export const JOURNAL_LIMITS = {
  /** A commit of so many changes takes some 10 ms, in which the SKB answers nobody else. */
  maxBatch: 1_000,
  /**
   * Pages of 4 KiB in the write-ahead log before they are moved into the database: 8 MiB, read in 50 ms at a restart.
   */
  checkpointPages: 2_000,
  /** Free pages beyond this share are given back when the journal is opened. */
  vacuumShare: 0.5,
  /** Enough of a row that was set aside to know it by; the table has it whole. */
  loggedRowChars: 500,
  /** How soon it is seen that the journal's files are gone, and that a failed journal can be opened again. */
  lookMs: 1_000,
} as const;
