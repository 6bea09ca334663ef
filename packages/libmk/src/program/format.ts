const MOST_CHARACTERS = 8192;
const DEPTH = 4;

/** What `console.log` prints of its arguments: texts as they are, everything else as a person reads it. */
export function formatLine(values: readonly unknown[]): string {
  const line = values.map((value) => (typeof value === 'string' ? value : format(value, DEPTH, []))).join(' ');
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}

function format(value: unknown, depth: number, above: readonly unknown[]): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `[function ${value.name}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Error) return value.stack ?? `${value.name}: ${value.message}`;
  if (above.includes(value)) return '[circular]';
  return formatObject(value, depth, [...above, value]);
}

function formatObject(value: object, depth: number, above: readonly unknown[]): string {
  if (depth === 0) return Array.isArray(value) ? '[…]' : '{…}';
  const inner = (item: unknown): string => format(item, depth - 1, above);
  if (value instanceof Uint8Array)
    return `bytes(${value.length}) [${[...value.subarray(0, 16)].join(' ')}${value.length > 16 ? ' …' : ''}]`;
  if (Array.isArray(value)) return `[${value.map(inner).join(', ')}]`;
  if (value instanceof Map) return `Map {${[...value].map(([k, v]) => `${inner(k)} → ${inner(v)}`).join(', ')}}`;
  if (value instanceof Set) return `Set {${[...value].map(inner).join(', ')}}`;
  return `{${Object.entries(value)
    .map(([key, item]) => `${key}: ${inner(item)}`)
    .join(', ')}}`;
}
