/** Words as a shell command line that reproduces them. */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

/** A word as a shell reads it. */
export function shellWord(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
