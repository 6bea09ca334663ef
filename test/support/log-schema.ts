/*
 * Checks log lines against the published schema, docs/reference/log-events.schema.json: what readers of logs are
 * promised, not what the source happens to write.
 */
import { readFileSync } from 'node:fs';
import type { JsonSchema } from '@mk/monitor-proto/log-schema';

const published = JSON.parse(
  readFileSync(new URL('../../docs/reference/log-events.schema.json', import.meta.url), 'utf8'),
) as JsonSchema;
const branches = new Map((published.oneOf ?? []).map((branch) => [branch.properties?.['event']?.const, branch]));

/** A log line, as far as checks look at it. */
export interface CheckedLine {
  readonly event: string;
  readonly core: number | string;
  readonly seq: number;
  readonly [field: string]: unknown;
}

/** What is wrong with one line of a log; null if nothing. */
export function logLineError(text: string): string | null {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return 'is not JSON';
  }
  const event = (line as { event?: unknown } | null)?.event;
  const branch = branches.get(event);
  return branch === undefined ? `has no known event: ${String(event)}` : schemaError(line, branch, 'line');
}

/**
 * The lines that one process wrote, in order; throws an error showing the first line that breaks the schema or the
 * gap-free count. `from`: the first line's `seq`, if the text does not start with the process.
 */
export function checkProcessLog(text: string, from = 1): readonly CheckedLine[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line, i) => {
    const error = logLineError(line);
    if (error !== null) throw new Error(`log line ${i + 1} ${error}: ${line}`);
    const checked = JSON.parse(line) as CheckedLine;
    if (checked.seq !== from + i) throw new Error(`log line ${i + 1} has seq ${checked.seq}, not ${from + i}: ${line}`);
    return checked;
  });
}

/** The keywords that the schema uses, and no others. */
const KEYWORDS: Readonly<Record<string, (value: unknown, schema: JsonSchema, path: string) => string | null>> = {
  type: (value, { type }, path) =>
    [type].flat().includes(typeOf(value)) ? null : `${path} is ${typeOf(value)}, not ${[type].flat().join(' or ')}`,
  const: (value, schema, path) =>
    value === schema.const ? null : `${path} is ${JSON.stringify(value)}, not ${JSON.stringify(schema.const)}`,
  enum: (value, schema, path) => (schema.enum?.includes(value) === true ? null : `${path} is ${JSON.stringify(value)}`),
  minimum: (value, { minimum = 0 }, path) => ((value as number) >= minimum ? null : `${path} is below ${minimum}`),
  items: (value, { items }, path) =>
    first((value as unknown[]).map((item, i) => schemaError(item, items!, `${path}[${i}]`))),
  required: (value, { required = [] }, path) =>
    first(required.map((name) => (Object.hasOwn(value as object, name) ? null : `${path} has no ${name}`))),
  properties: (value, { properties = {} }, path) =>
    first(
      Object.entries(value as object).map(([name, field]) =>
        properties[name] ? schemaError(field, properties[name], `${path}.${name}`) : null,
      ),
    ),
  additionalProperties: (value, { properties = {} }, path) =>
    first(
      Object.keys(value as object).map((name) =>
        Object.hasOwn(properties, name) ? null : `${path} has an unknown field ${name}`,
      ),
    ),
};
const ANNOTATIONS = ['title', 'description', '$schema'];

function schemaError(value: unknown, schema: JsonSchema, path: string): string | null {
  for (const keyword of Object.keys(schema)) {
    if (ANNOTATIONS.includes(keyword)) continue;
    const check = KEYWORDS[keyword];
    if (check === undefined) throw new Error(`the log schema uses ${keyword}, which this check does not know`);
    const error = check(value, schema, path);
    if (error !== null) return error;
  }
  return null;
}

function first(errors: readonly (string | null)[]): string | null {
  return errors.find((error) => error !== null) ?? null;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
