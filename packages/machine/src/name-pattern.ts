/**
 * Whether a name matches a pattern, in which * stands for anything, also for nothing. Takes at most pattern × name
 * steps: a regular expression made of many stars takes years.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let [at, i] = [0, 0];
  /** Where to go on when what follows the latest star does not match: it takes one character more. */
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
