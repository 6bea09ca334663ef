/** The version that `--version` prints; equal to package.json’s, as a test checks. */
export const VERSION = '0.1.0';
/** The day of that version, for manual pages: YYYY-MM-DD. */
export const VERSION_DAY = '2026-11-30';
