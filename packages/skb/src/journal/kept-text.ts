/**
 * Encodes any JavaScript text so that SQLite keeps it: a NUL would end it, and half of a surrogate pair would become
 * another character, which might turn two names into one. Most texts are kept as they are.
 */

/** Starts a text kept as JSON. */
const MARK = '\u0001';
const NOT_KEPT_AS_IT_IS = new RegExp(
  `^${MARK}|\\u0000|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]`,
);

export function keptText(text: string): string {
  return NOT_KEPT_AS_IT_IS.test(text) ? MARK + JSON.stringify(text) : text;
}

/** Decodes a kept text; throws for anything that `keptText` does not produce. */
export function textOfKept(kept: string): string {
  if (!kept.startsWith(MARK)) return kept;
  const text: unknown = JSON.parse(kept.slice(MARK.length));
  if (typeof text !== 'string') throw new TypeError('it is not text');
  return text;
}
