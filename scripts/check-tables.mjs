// Rows that nothing uses: an error that nothing raises, a message that nobody sends, an event that nobody logs, a bound
// that nothing respects. Product code must name each row somewhere outside its table, and not only to compare with it.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './install.mjs';

/** Tables by the end of their constant’s name. Rows that are used by their number, or from outside, are not here. */
const TABLES =
  /^(?!READ_|DEFAULT_)(?:[A-Z]+_)*(?:ERRORS|LOG_EVENTS|MESSAGES|LIMITS|OFFENCES|ROUND_ACTIONS|NODE_VARIABLES)$/;

/** The rows of the tables in these files ([path, text]) that nothing uses, one line each. */
export function unusedRows(files) {
  const sources = files.map(([path, text]) => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  const rows = sources.flatMap(rowsIn);
  const uses = new Map(rows.map(({ name }) => [name, 0]));
  const declared = new Set(rows.map(({ node }) => node));
  for (const source of sources) countUses(source, uses, declared);
  return rows
    .filter(({ name }) => uses.get(name) === 0)
    .map(({ path, line, table, name }) => `${path}:${line}: nothing uses ${name} of ${table}: remove the row`);
}

function rowsIn(source) {
  return source.statements
    .filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => declarationList.declarations)
    .filter(({ name }) => ts.isIdentifier(name) && TABLES.test(name.text))
    .flatMap(({ name, initializer }) => (literalOf(initializer)?.properties ?? []).map((node) => [name.text, node]))
    .filter(([, node]) => ts.isPropertyAssignment(node))
    .map(([table, node]) => ({
      table,
      node,
      name: node.name.text,
      path: source.fileName,
      line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1,
    }));
}

function literalOf(node) {
  if (node === undefined || ts.isObjectLiteralExpression(node)) return node;
  return ts.isAsExpression(node) || ts.isSatisfiesExpression(node) ? literalOf(node.expression) : undefined;
}

/** A row does not count as a use of its own or of another row’s name: rows quote one another in prose only. */
function countUses(source, uses, declared) {
  const visit = (node) => {
    if (declared.has(node)) return;
    if (uses.has(node.text) && isUse(node)) uses.set(node.text, uses.get(node.text) + 1);
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** A string that is not merely compared or a type; a member’s name; a name taken out of an object. */
function isUse(node) {
  const { parent } = node;
  if (ts.isStringLiteralLike(node)) return !isComparison(parent) && !ts.isLiteralTypeNode(parent) && !isName(node);
  if (!ts.isIdentifier(node)) return false;
  return (ts.isPropertyAccessExpression(parent) && parent.name === node) || ts.isBindingElement(parent);
}

function isComparison(node) {
  if (ts.isCaseClause(node)) return true;
  const equalities = [ts.SyntaxKind.EqualsEqualsEqualsToken, ts.SyntaxKind.ExclamationEqualsEqualsToken];
  return ts.isBinaryExpression(node) && equalities.includes(node.operatorToken.kind);
}

function isName(node) {
  return ts.isPropertyAssignment(node.parent) && node.parent.name === node;
}

function main() {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', 'packages'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const paths = list.split('\0').filter((path) => /\/src\/.*\.tsx?$/.test(path) && existsSync(join(root, path)));
  const unused = unusedRows(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
  for (const line of unused) process.stdout.write(`${line}\n`);
  process.stdout.write(`tables: ${paths.length} files, ${unused.length} unused rows\n`);
  process.exitCode = unused.length === 0 ? 0 : 1;
}

if (process.argv[1]?.endsWith('check-tables.mjs')) main();
