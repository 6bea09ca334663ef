/** The version that `--version` prints; equal to package.json’s, as a test checks. */
export const VERSION = '0.1.0';
