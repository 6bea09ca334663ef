/*
 * Words that begin with a dash but are not options: a goal `-1 < 0`, a record's name, everything after `--`. The parser
 * would take them apart, so they pass through it marked and come out as typed.
 */

/** A private-use character: nobody types it, and no option begins with it. */
const MARK = '\uE000';
/** One dash and then something that begins no option, or several words in one: `-1 < 0`, `-X > 3`. */
const NO_OPTION = /^-(?:[^-A-Za-z]|[^-].*\s)/s;

/** Marks the dashed words, so that the parser leaves them alone, and drops the first `--`. */
export function markDashedWords(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const [before, after] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)];
  return [...before.map((word) => (NO_OPTION.test(word) ? MARK + word : word)), ...after.map((word) => MARK + word)];
}

/** Removes the marks from the parser's results. */
export function unmarkDashedWords(args: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(args))
    args[name] = Array.isArray(value) ? value.map((each: unknown) => unmarked(each)) : unmarked(value);
}

function unmarked(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(MARK) ? value.slice(1) : value;
}
