/** A caught value as an Error. It usually is one, perhaps of another realm (a vm context, a worker). */
export function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(String(thrown));
}

/** The code of an error of Node's (`ENOENT`, `EEXIST`, …); undefined when it has none. */
export function codeOf(thrown: unknown): string | undefined {
  return isError(thrown) && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

function isError(thrown: unknown): thrown is Error {
  return typeof thrown === 'object' && thrown !== null && 'message' in thrown && typeof thrown.message === 'string';
}
