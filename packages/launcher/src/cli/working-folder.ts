/*
 * Imported before everything else: libraries ask for the current folder while they load, and in a shell whose folder somebody
 * has removed that ends the program with a stack trace. What needs no folder works from the root then.
 */
try {
  process.cwd();
} catch {
  process.chdir('/');
}
