/** Characters of a foreign text that an error shows. */
const MOST_CHARACTERS = 80;

/**
 * Foreign text in the form that fits one line of an error: no control characters, and only as much as is needed to find
 * it.
 */
export function shown(text: string): string {
  return visible(text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text);
}

/** Makes control characters visible, line by line; tabs stay. */
export function visibleLines(text: string): string {
  return text.replace(/[^\n\t]+/g, visible);
}

/** The text with control characters written as `\x1b`, including those that change the reading direction. */
export function visible(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (character) => {
    const code = character.charCodeAt(0);
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}
