import { z } from 'zod';

/** One key of a file: its path, the values it takes, its default, and its meaning. */
export type SchemaRow = readonly [key: string, takes: string, absent: string, meaning: string];

type Json = z.core.JSONSchema.BaseSchema;

/** Every key of a schema, in source order; the keys of a list's entries follow `[]`. */
export function schemaRows(schema: z.ZodType): readonly SchemaRow[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return rowsOf(root as Json, '');
}

function rowsOf(schema: Json, path: string): SchemaRow[] {
  const objects = alternatives(schema).filter(({ properties }) => properties !== undefined);
  const lists = alternatives(schema).filter(({ items }) => isSchema(items));
  return [
    ...objects.flatMap(({ properties = {}, required = [] }) =>
      Object.entries(properties).flatMap(([name, property]) =>
        isSchema(property) ? rowsOfKey(property, `${path}${name}`, required.includes(name)) : [],
      ),
    ),
    ...lists.flatMap(({ items }) => rowsOf(items as Json, `${path.replace(/\.$/, '')}[].`)),
  ];
}

function rowsOfKey(schema: Json, key: string, required: boolean): SchemaRow[] {
  const absent = required ? 'required' : schema.default === undefined ? '–' : JSON.stringify(schema.default);
  return [[key, takesText(schema), absent, schema.description ?? ''], ...rowsOf(schema, `${key}.`)];
}

function alternatives(schema: Json): readonly Json[] {
  const all = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(isSchema);
  return schema.title !== undefined ? [] : all.length > 0 ? all.flatMap(alternatives) : [schema];
}

function takesText(schema: Json): string {
  if (schema.title !== undefined) return schema.title;
  const all = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(isSchema);
  if (all.length > 0) return [...new Set(all.map(takesText))].join(', or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const).replaceAll('"', '');
  if (schema.enum !== undefined) return schema.enum.join(', ');
  if (isSchema(schema.items)) return `list of ${takesText(schema.items)}`;
  if (schema.properties !== undefined) return `{ ${Object.keys(schema.properties).join(', ')} }`;
  return `${TYPES[String(schema.type)] ?? String(schema.type)}${bounds(schema)}`;
}

const TYPES: Readonly<Record<string, string>> = {
  integer: 'whole number',
  number: 'number',
  string: 'text',
  boolean: 'true, false',
};

function bounds({ minimum, exclusiveMinimum, maximum }: Json): string {
  const least =
    minimum !== undefined ? `from ${minimum}` : exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : '';
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? '' : `to ${maximum.toLocaleString('en')}`;
  const text = [least, most].filter(Boolean).join(' ');
  return text === '' || least === `from ${Number.MIN_SAFE_INTEGER}` ? '' : `, ${text}`;
}

function isSchema(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
