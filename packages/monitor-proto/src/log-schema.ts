/*
 * The JSON Schema (draft 2020-12) of a log line, made from the event table: one branch per event. Generated into
 * docs/reference/log-events.schema.json; test/support/log-schema.ts checks lines against it.
 */
import { LOG_EVENTS, LOG_LEVELS, LOG_VERSION, type LogEventSpec, type LogFieldType } from './log-events.ts';

/** The part of JSON Schema used here. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly items?: JsonSchema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean;
  readonly oneOf?: readonly JsonSchema[];
}

const NAME: JsonSchema = { type: ['number', 'string'] };

const FIELD_SCHEMAS: { readonly [T in LogFieldType]: JsonSchema } = {
  number: { type: 'number' },
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  peer: { ...NAME, description: 'A core’s number, "skb", "unregistered" or "client-n".' },
  numbers: { type: 'array', items: { type: 'number' } },
  object: { type: 'object' },
};

/** On every line. */
export const COMMON_FIELDS: Readonly<Record<string, JsonSchema>> = {
  level: { type: 'string', enum: LOG_LEVELS },
  time: { type: 'number', minimum: 0, description: 'Milliseconds since 1970.' },
  v: { type: 'number', const: LOG_VERSION, description: 'Version of this schema.' },
  event: { type: 'string' },
  core: { ...NAME, description: 'A core’s number, "skb", "launcher", or "unregistered" before a core has its id.' },
  incarnation: { type: 'number', minimum: 0, description: 'Life of the core; 0 before it has its id.' },
  seq: {
    type: 'number',
    minimum: 1,
    description:
      'Counts the lines of a process. A gap means lines that were not read in time; log_lines_dropped, right after it, says how many.',
  },
  lamport: { type: 'number', minimum: 0, description: 'Lamport clock of the process.' },
  msg: { type: 'string', description: 'A sentence for people.' },
};

/** On a line where they apply. */
export const OPTIONAL_FIELDS: Readonly<Record<string, JsonSchema>> = {
  op: { type: 'string', description: 'The operation, core.incarnation.n, the same on every core that it touches.' },
  peer: FIELD_SCHEMAS.peer,
  view: { type: 'number' },
  cause: { type: 'string' },
};

/** The schema of any line. */
export function logLineSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'mk log line',
    description: `Version ${LOG_VERSION}. One JSON object a line.`,
    oneOf: Object.entries(LOG_EVENTS).map(([name, spec]) => eventSchema(name, spec)),
  };
}

function eventSchema(name: string, { level, fields, doc }: LogEventSpec): JsonSchema {
  const own = Object.fromEntries(Object.entries(fields).map(([field, type]) => [field, FIELD_SCHEMAS[type]]));
  const common = { ...COMMON_FIELDS, event: { const: name }, level: { const: level } };
  return {
    title: name,
    description: doc,
    type: 'object',
    required: Object.keys(COMMON_FIELDS),
    properties: { ...common, ...OPTIONAL_FIELDS, ...own },
    additionalProperties: false,
  };
}
