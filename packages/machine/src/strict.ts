import { isKeyOf } from '@mk/monitor-proto/tables';
import { asError } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import * as yaml from 'yaml';
import { z } from 'zod';
import { unknownWord } from './nearest.ts';
import { shown, visible } from './one-line.ts';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';

/** Larger files were not written by hand; they are refused before parsing. */
const MAX_TEXT = 4 << 20;
/**
 * Nested blocks; handwritten files have ten at most. The library recurses, and V8 aborts without an exception when it
 * compiles a regular expression at the end of its stack.
 */
const MAX_DEPTH = 200;

/**
 * Reads YAML and checks it against a strict schema. The error is one line that begins with `what` (a file's name, or
 * "fault plan") and names the place, and for an unknown key suggests the nearest known one.
 */
export function parseStrict<T>(text: string, schema: z.ZodType<T>, what: string): Result<T, string> {
  if (text.length > MAX_TEXT) return refuse(`${what}: larger than ${MAX_TEXT >> 20} MiB`);
  const lines = new yaml.LineCounter();
  const deep = tooDeep(text);
  if (deep !== null) return refuse(`${what}: ${deep}`);
  // The library compares every key of a map with every other; `sameKey` takes linear time.
  const document = yaml.parseDocument(text, { prettyErrors: false, uniqueKeys: false, lineCounter: lines });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) return refuse(`${what}: ${ownWords(problem, lines)}`);
  const twin = sameKey(document, lines);
  if (twin !== null) return refuse(`${what}: ${twin}`);
  const plain = toPlain(document);
  if (!plain.ok) return refuse(`${what}: ${plain.error}`);
  if (plain.value === null || plain.value === undefined) return refuse(`${what}: the file is empty`);
  const parsed = schema.safeParse(plain.value);
  return parsed.success ? succeed(parsed.data) : refuse(`${what}: ${explain(parsed.error, schema)}`);
}

/** Turns one of this project's parsers into a schema; its error becomes the schema's. */
export function parsedBy<T>(parse: (value: string | number) => Result<T, string>): z.ZodType<T, string | number> {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const result = parse(value);
    if (result.ok) return result.value;
    context.addIssue({ code: 'custom', message: result.error });
    return z.NEVER;
  });
}

/** The first problem in one line: `costs.send: unknown key "same_cor"; did you mean same_core?` */
export function explain(error: z.ZodError, schema: z.ZodType): string {
  const issues = error.issues.map((first) => deepest(first, []));
  // A misspelt key often leaves a required one missing, too; the misspelling is what the writer needs to hear.
  const { issue, path } = issues.find(({ issue: { code } }) => code === 'unrecognized_keys') ?? known(issues[0]);
  const place = path.length === 0 ? '' : `${pathText(path)}: `;
  if (issue.code === 'unrecognized_keys') {
    return `${place}${unknownWord('key', known(issue.keys[0]), keysAt(schema, path))}`;
  }
  return `${place}${wording(issue.message)}`;
}

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

interface PlacedIssue {
  readonly issue: Issue;
  readonly path: readonly PropertyKey[];
}

function tellsMore(a: PlacedIssue, b: PlacedIssue): boolean {
  if ((a.issue.code === 'unrecognized_keys') !== (b.issue.code === 'unrecognized_keys')) {
    return a.issue.code === 'unrecognized_keys';
  }
  if (a.path.length !== b.path.length) return a.path.length > b.path.length;
  return b.issue.code === 'invalid_type' && a.issue.code !== 'invalid_type';
}

/** In a union, the branch that matched furthest best shows the intent. */
function deepest(issue: Issue, prefix: readonly PropertyKey[]): PlacedIssue {
  const path = [...prefix, ...issue.path];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return { issue, path };
  const branches = issue.errors.flat().map((inner) => deepest(inner, path));
  const farthest = branches.reduce<PlacedIssue | null>((best, branch) => {
    return best === null || tellsMore(branch, best) ? branch : best;
  }, null);
  return farthest ?? { issue, path };
}

/** Every key that the schema knows at a path; for a union, those of all its branches. */
function keysAt(schema: Schema, path: readonly PropertyKey[]): string[] {
  let at: readonly Schema[] = flatten(schema);
  for (const step of path) {
    at = at.flatMap((node) => child(node, step)).flatMap(flatten);
  }
  return [...new Set(at.flatMap((node) => (node instanceof z.ZodObject ? Object.keys(node.shape) : [])))];
}

function child(node: Schema, step: PropertyKey): Schema[] {
  if (node instanceof z.ZodObject) return isKeyOf(node.shape, step) ? [node.shape[step]] : [];
  if (node instanceof z.ZodArray) return [node.element];
  return [];
}

/** Looks through optional, default, transform and union. */
function flatten(schema: Schema): Schema[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return flatten(schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) return flatten(schema.in);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(flatten);
  return [schema];
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');
}

/** Counts nesting with the library's tokeniser, which does not recurse, and stops where the text is too deep. */
function tooDeep(text: string): string | null {
  const parser = new yaml.Parser();
  let line = 1;
  for (const lexeme of new yaml.Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) if (token.type === 'error') return null; // the parser words it better
    if (parser.stack.length > MAX_DEPTH) return `nested too deeply at line ${line}: ${MAX_DEPTH} levels are allowed`;
    if (lexeme.includes('\n')) line += lexeme.split('\n').length - 1;
  }
  return null;
}

function toPlain(document: yaml.Document): Result<unknown, string> {
  try {
    return succeed(document.toJS({ maxAliasCount: 100 }));
  } catch (error) {
    return refuse(error instanceof RangeError ? 'nested too deeply' : oneLine(asError(error).message));
  }
}

/** Rewords the YAML library's messages, meant for programmers, for the file's writer. */
function ownWords({ code, message, pos }: yaml.YAMLParseError | yaml.YAMLWarning, lines: yaml.LineCounter): string {
  const { line, col } = lines.linePos(pos[0]);
  const place = `at line ${Math.max(1, line)}, column ${Math.max(1, col)}`;
  if (code === 'MULTIPLE_DOCS') return `there are several documents, the second ${place}; one is wanted`;
  return `${oneLine(message)} ${place}`;
}

/** The first repeated key of a map. */
function sameKey(document: yaml.Document.Parsed, lines: yaml.LineCounter): string | null {
  let found: string | null = null;
  try {
    yaml.visit(document, {
      Map(_, map) {
        const seen = new Set<unknown>();
        for (const { key } of map.items) {
          const name = yaml.isScalar(key) ? key.value : key;
          if (seen.has(name)) {
            const line = yaml.isNode(key) && key.range ? ` at line ${lines.linePos(key.range[0]).line}` : '';
            found = `key "${shown(String(name))}" appears twice${line}; keys must be unique`;
            return yaml.visit.BREAK;
          }
          seen.add(name);
        }
        return undefined;
      },
    });
  } catch (error) {
    if (error instanceof RangeError) return 'nested too deeply';
    throw error;
  }
  return found;
}

/** zod's message without its preamble; `undefined` means nothing to a file's writer. */
function wording(message: string): string {
  return oneLine(message)
    .replace(/^Invalid input: /, '')
    .replace(/, received undefined$/, '; it is missing');
}

function oneLine(text: string): string {
  return visible(known(text.split('\n')[0]).replace(/:$/, '').trim());
}
