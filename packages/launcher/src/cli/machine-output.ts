/*
 * JSON for machines is in snake_case, as on the wire and in logs, with units in names. TypeScript's spelling is
 * converted here.
 */

/** The members of a summary of times; inside the program, only their type's docstring gives the unit. */
const TIMES: Readonly<Record<string, string>> = {
  min: 'min_ns',
  max: 'max_ns',
  average: 'average_ns',
  p50: 'p50_ns',
  p99: 'p99_ns',
  variance: 'variance_ns2',
};

/** Converts a value for `--json`; records keyed by a user's own names (no lower camel case) stay as they are. */
export function forMachines(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(forMachines);
  if (typeof value !== 'object' || value === null) return value;
  const times = 'min' in value && 'max' in value && ('average' in value || 'p50' in value);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      (times ? TIMES[name] : undefined) ?? snake(name),
      forMachines(inner),
    ]),
  );
}

function snake(name: string): string {
  return /^[a-z][a-z0-9]*(?:[A-Z][a-z0-9]*)+$/.test(name)
    ? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    : name;
}

/** One JSON document on one line. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(forMachines(value));
}
