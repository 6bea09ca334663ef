/** Which options of a command make sense together: what would be ignored is refused. Pure. */
export interface OptionRules {
  /** An option → those of which it needs one. */
  readonly needs?: Readonly<Record<string, readonly string[]>>;
  /** An option → those that have no effect beside it. */
  readonly excludes?: Readonly<Record<string, readonly string[]>>;
}

/** What is wrong with these options in one line; null: nothing. */
export function wrongCombination(
  given: ReadonlySet<string>,
  { needs = {}, excludes = {} }: OptionRules,
): string | null {
  for (const [option, others] of Object.entries(needs))
    if (given.has(option) && !others.some((other) => given.has(other)))
      return `--${option} goes with ${others.map((other) => `--${other}`).join(' or ')}`;
  for (const [option, others] of Object.entries(excludes)) {
    const other = others.find((each) => given.has(each));
    if (given.has(option) && other !== undefined) return `--${other} has no effect with --${option}: leave one out`;
  }
  return null;
}

/** The long options among a command line's words. */
export function givenOptions(argv: readonly string[]): ReadonlySet<string> {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  return new Set(words.flatMap((word) => /^--([a-z][\w-]*)/.exec(word)?.[1] ?? []));
}
