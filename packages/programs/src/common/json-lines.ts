/**
 * A JSON document over lines of at most this many characters, broken after commas between values; only a single value
 * that is longer makes a longer line.
 */
export function jsonLines(text: string, most: number): readonly string[] {
  const lines: string[] = [];
  let begin = 0;
  let lastComma = 0;
  for (const end of [...commasBetweenValues(text), text.length]) {
    if (end - begin > most && lastComma > begin) {
      lines.push(text.slice(begin, lastComma));
      begin = lastComma;
    }
    lastComma = end;
  }
  return [...lines, text.slice(begin)];
}

/** Positions after the commas that stand in no string. */
function commasBetweenValues(text: string): readonly number[] {
  const found: number[] = [];
  let isInText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (isInText && character === '\\') at += 1;
    else if (character === '"') isInText = !isInText;
    else if (!isInText && character === ',') found.push(at + 1);
  }
  return found;
}
