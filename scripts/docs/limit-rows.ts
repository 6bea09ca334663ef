import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** One bound of a `limits.ts`; its reason is the comment above it. */
export interface LimitRow {
  readonly name: string;
  readonly value: string;
  readonly reason: string;
}

export interface LimitFile {
  readonly path: string;
  readonly rows: readonly LimitRow[];
}

/** The limits of every `limits.ts` that gives reasons as comments. Values appear as written in the source. */
export function limitFiles(root: string): readonly LimitFile[] {
  const paths = readdirSync(join(root, 'packages'), { recursive: true, encoding: 'utf8' })
    .map((path) => `packages/${path}`)
    .filter((path) => /\/src\/.*limits\.ts$/.test(path) && !path.includes('node_modules'));
  return paths
    .sort()
    .map((path) => ({ path, rows: rowsOf(path, readFileSync(join(root, path), 'utf8')) }))
    .filter(({ rows }) => rows.length > 0);
}

function rowsOf(path: string, text: string): LimitRow[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const rows: LimitRow[] = [];
  let reason = '';
  for (const statement of source.statements.filter(ts.isVariableStatement)) {
    for (const property of literalOf(statement.declarationList.declarations[0]?.initializer)?.properties ?? []) {
      if (!ts.isPropertyAssignment(property) || ts.isObjectLiteralExpression(property.initializer)) continue;
      reason = commentOf(text, property) ?? reason;
      rows.push({ name: property.name.getText(source), value: property.initializer.getText(source), reason });
    }
  }
  return rows;
}

function literalOf(node: ts.Expression | undefined): ts.ObjectLiteralExpression | undefined {
  if (node === undefined || ts.isObjectLiteralExpression(node)) return node;
  return ts.isAsExpression(node) || ts.isSatisfiesExpression(node) ? literalOf(node.expression) : undefined;
}

function commentOf(text: string, node: ts.Node): string | null {
  const ranges = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
  if (ranges.length === 0) return null;
  return ranges
    .map(({ pos, end }) => text.slice(pos, end))
    .join(' ')
    .replaceAll(/\/\*\*?|\s*\*\/|^\s*\*|\/\/|\n\s*\*/gm, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
