/*
 * Imported before everything else: libraries ask for the current folder while they load, which ends the program with a
 * stack trace if the folder was removed. Falling back to the root keeps everything working that needs no folder.
 */
try {
  process.cwd();
} catch {
  process.chdir('/');
}
