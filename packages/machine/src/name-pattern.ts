/**
 * Whether a name matches a pattern in which * stands for any text, even none. Takes at most pattern × name steps; a
 * regular expression with many stars can take years.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let [at, i] = [0, 0];
  /** Where to resume when the text after the latest star does not match: the star takes one character more. */
  let star: { readonly next: number; readonly from: number } | null = null;
  while (i < name.length) {
    if (pattern[at] === '*') {
      star = { next: at + 1, from: i };
      at += 1;
    } else if (pattern[at] === name[i]) {
      at += 1;
      i += 1;
    } else if (star !== null) {
      star = { next: star.next, from: star.from + 1 };
      [at, i] = [star.next, star.from];
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
