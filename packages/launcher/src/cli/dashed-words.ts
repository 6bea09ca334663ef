/*
 * Words that begin with a dash and are no options: a goal `-1 < 0`, a record's name, everything behind `--`. The parser would
 * take them apart, so they go through it under a mark and come out as they were typed.
 */

/** A private character: nobody types it, and no option begins with it. */
const MARK = '\uE000';
/** One dash, then what begins no option, or several words in one: `-1 < 0`, `-X > 3`. */
const NO_OPTION = /^-(?:[^-A-Za-z]|[^-].*\s)/s;

/** The arguments as the parser may see them; the first `--` is gone. */
export function markDashedWords(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const [before, after] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)];
  return [...before.map((word) => (NO_OPTION.test(word) ? MARK + word : word)), ...after.map((word) => MARK + word)];
}

/** Takes the marks off what the parser has made of them. */
export function unmarkDashedWords(args: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(args))
    args[name] = Array.isArray(value) ? value.map((each: unknown) => unmarked(each)) : unmarked(value);
}

function unmarked(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(MARK) ? value.slice(1) : value;
}
