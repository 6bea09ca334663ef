/*
 * Imported before everything else: libraries ask for the current folder while they load, and in a shell whose folder
 * was removed that ends the program with a stack trace. What needs no folder then works from the root.
 */
try {
  process.cwd();
} catch {
  process.chdir('/');
}
