// Checks the rules of CONTRIBUTING.md that no other tool checks. Prints one line per breach; exits with 1 if there is
// any.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './install.mjs';

export const MAX_FILE_LINES = 400;
export const MAX_FUNCTION_LINES = 60;
/** Names that only `io/`, `main.ts`, the launcher and tools may use: clocks, entropy, timers, the environment. */
const IMPURE = new Set([
  'process',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'require',
  'crypto',
  'fetch',
]);
const IMPURE_MEMBERS = new Set(['Date.now', 'Math.random']);
const NAMELESS_FILES = /(^|\/)(utils?|helpers?|misc|common|index)\.ts$/;
/** A file's header after its imports. */
const LATE_HEADER = /^(?:import [^;]*;\n|export \{[^;]*\} from [^;]*;\n)+\n\/\*(?!\*)[\s\S]*?\*\/\n\n/;
/** Paths of one developer's machine do not belong in a project. */
const MACHINE_PATHS = /(?<![\w.~-])\/(?:work|home|Users|root)\/[\w.]/;
/** The `pathname` of a file URL is wrong in a folder with a space, `#` or `é`. */
const URL_AS_PATH = /import\.meta\.url\)\.pathname/;
/** Names of constants: bounds that somebody chose. */
const CONSTANT = /^[A-Z][A-Z0-9_]*$/;
/** On Node 20 it never returns when a parent folder refuses with ENOENT. */
const SPINNING_MKDIR = /\bmkdir(Sync)?\([^;]*recursive/;
/** jest.config's time limit for every test. */
const LEAST_TEST_MS = 900_000;
const TIMED_IN_JEST = new Set(['test', 'it', 'beforeAll', 'beforeEach', 'afterAll', 'afterEach']);
const TEXT = /\.(tsx?|mjs|cjs|js|json|md|ya?ml|pl|sh)$|(^|\/)(Dockerfile|\.ci\/run)$/;

/** All breaches in one file, as [line, text]. */
export function breachesOf(path, text) {
  const found = [];
  const say = (line, what) => found.push([line, what]);
  checkText(path, text, say);
  if (/\.tsx?$/.test(path)) checkSyntax(path, text, say);
  return found;
}

function checkText(path, text, say) {
  const lines = text.split('\n');
  if (/\.(tsx?|mjs)$/.test(path) && lines.length - 1 > MAX_FILE_LINES)
    say(1, `${lines.length - 1} lines; a file has at most ${MAX_FILE_LINES}: split it by topic`);
  if (/\.(tsx?|mjs)$/.test(path) && LATE_HEADER.test(text)) say(1, 'the header comes before the imports');
  if (NAMELESS_FILES.test(path)) say(1, 'the name says nothing: name the file after what it holds');
  lines.forEach((line, i) => {
    if (/\.(ts|mjs)$/.test(path) && URL_AS_PATH.test(line))
      say(i + 1, 'a URL’s pathname as a path: it stays encoded; use fileURLToPath');
    if (/\/src\/.*\.ts$/.test(path) && SPINNING_MKDIR.test(line))
      say(i + 1, 'mkdir with recursive spins for ever below /proc: use makeFolder');
    if (MACHINE_PATHS.test(line) && !line.includes('MACHINE_PATHS'))
      say(i + 1, `a path of one machine: ${MACHINE_PATHS.exec(line)[0]}…`);
  });
}

function checkSyntax(path, text, say) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineOf = (position) => source.getLineAndCharacterOfPosition(position).line + 1;
  const pure = isPure(path);
  const isSource = /\/src\//.test(path);
  const visit = (node) => {
    const line = lineOf(node.getStart(source));
    if (ts.isPrivateIdentifier(node)) say(line, `${node.text}: say private`);
    if (ts.isEnumDeclaration(node)) say(line, 'enum: use a const table or a union of strings');
    if (ts.isExportAssignment(node) || (node.modifiers ?? []).some((m) => m.kind === ts.SyntaxKind.DefaultKeyword))
      say(line, 'default export: name it');
    if (isSource && ts.isFunctionLike(node) && node.body) checkLength(node, line);
    if (pure && ts.isIdentifier(node) && IMPURE.has(node.text) && isFree(node))
      say(line, `${node.text} in pure code: take it as an argument, or move this to io/`);
    if (pure && ts.isPropertyAccessExpression(node) && IMPURE_MEMBERS.has(node.getText(source)))
      say(line, `${node.getText(source)}() in pure code: take it as an argument`);
    if (path.endsWith('.test.ts') && ts.isCallExpression(node)) checkPatience(node, line);
    if (isSource && !pure && ts.isCallExpression(node)) checkClock(node, line);
    ts.forEachChild(node, visit);
  };
  /** `test(name, run, ms)`, `test.each(rows)(name, run, ms)`, `beforeAll(run, ms)`. */
  const checkPatience = ({ expression, arguments: given }, line) => {
    let called = expression;
    while (ts.isCallExpression(called) || ts.isPropertyAccessExpression(called)) called = called.expression;
    const last = given.at(-1);
    if (!TIMED_IN_JEST.has(called.getText(source)) || given.length < 2 || !ts.isNumericLiteral(last)) return;
    if (Number(last.text.replaceAll('_', '')) < LEAST_TEST_MS)
      say(line, 'a time limit below that of jest.config: a slow host would fail the test, not what it tests');
  };
  const checkClock = (node, line) => {
    const called = node.expression.getText(source);
    if (/^set(Timeout|Interval)$/.test(called) && node.arguments.length > 1 && !isBounded(node.arguments[1]))
      say(line, `${called} with a wait that nothing bounds: beyond 24.8 days it fires at once; use callAfter`);
    if (called === 'Date.now' && !isStamp(node))
      say(
        line,
        'Date.now() as a clock: whoever sets the date breaks it; use performance.now(), or new Date() for dates',
      );
  };
  const checkLength = (node, line) => {
    const length = lineOf(node.end) - line + 1;
    if (length > MAX_FUNCTION_LINES) say(line, `a function of ${length} lines; at most ${MAX_FUNCTION_LINES}`);
  };
  visit(source);
  if (path.endsWith('/limits.ts') && isSource) checkLimits(source, lineOf, say);
}

/** Pure code: packages/…/src except io/ folders, main.ts and x-main.ts files, the launcher, and browser code. */
function isPure(path) {
  return (
    /^packages\/[^/]+\/src\//.test(path) &&
    !path.startsWith('packages/launcher/') &&
    !path.startsWith('packages/ui/src/page/') &&
    !/\/io\//.test(path) &&
    !/[/-]main\.ts$/.test(path)
  );
}

/** Whether an identifier refers to a global: not a member, key, declaration or type. */
function isFree(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (
    (ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isPropertyDeclaration(parent)) &&
    parent.name === node
  )
    return false;
  if (
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent)
  )
    return false;
  if (ts.isVariableDeclaration(parent) && parent.name === node) return false;
  if (ts.isImportSpecifier(parent) || ts.isTypeReferenceNode(parent) || ts.isShorthandPropertyAssignment(parent))
    return false;
  return !isDeclaredAbove(node);
}

/** A wait made of constants, or cut off by one. */
function isBounded(node) {
  if (ts.isNumericLiteral(node)) return true;
  if (ts.isIdentifier(node)) return CONSTANT.test(node.text);
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node) || ts.isParenthesizedExpression(node))
    return isBounded(node.expression);
  if (ts.isConditionalExpression(node)) return isBounded(node.whenTrue) && isBounded(node.whenFalse);
  if (ts.isBinaryExpression(node)) return isBounded(node.left) && isBounded(node.right);
  return ts.isCallExpression(node) && node.expression.getText() === 'Math.min' && node.arguments.some(isBounded);
}

/** A date that is only written down or sent: the value of a field, an argument, a part of a text. */
function isStamp({ parent }) {
  return ts.isPropertyAssignment(parent) || ts.isCallExpression(parent) || ts.isTemplateSpan(parent);
}

/** A parameter or variable of this name in an enclosing scope hides the global. */
function isDeclaredAbove(node) {
  for (let scope = node.parent; scope !== undefined; scope = scope.parent) {
    let declares = false;
    if (ts.isFunctionLike(scope)) declares = scope.parameters.some((p) => namesIn(p.name).includes(node.text));
    else if (ts.isForOfStatement(scope) || ts.isForStatement(scope))
      declares = namesOfList(scope.initializer).includes(node.text);
    else if (ts.isBlock(scope) || ts.isSourceFile(scope)) {
      declares = scope.statements.some(
        (s) =>
          (ts.isVariableStatement(s) && namesOfList(s.declarationList).includes(node.text)) ||
          (ts.isFunctionDeclaration(s) && s.name?.text === node.text),
      );
    }
    if (declares) return true;
  }
  return false;
}

function namesOfList(list) {
  return list !== undefined && ts.isVariableDeclarationList(list)
    ? list.declarations.flatMap((d) => namesIn(d.name))
    : [];
}

function namesIn(name) {
  return ts.isIdentifier(name)
    ? [name.text]
    : name.elements.flatMap((e) => (ts.isBindingElement(e) ? namesIn(e.name) : []));
}

/** Every row of a limits table states its reason, in a `reason` field or in a comment above it. */
function checkLimits(source, lineOf, say) {
  const visit = (node) => {
    if (ts.isVariableStatement(node))
      for (const { initializer } of node.declarationList.declarations) rows(initializer);
    ts.forEachChild(node, visit);
  };
  const rows = (given) => {
    let table = given;
    while (table && (ts.isAsExpression(table) || ts.isSatisfiesExpression(table))) table = table.expression;
    if (!table || !ts.isObjectLiteralExpression(table)) return;
    let commented = false;
    for (const row of table.properties) {
      const comment = ts.getLeadingCommentRanges(source.text, row.getFullStart()) ?? [];
      // A row directly below a commented one shares its comment: `defaultX, maxX`.
      commented =
        comment.length > 0 ||
        (commented && !/\n\s*\n/.test(source.text.slice(row.getFullStart(), row.getStart(source))));
      if (!commented && !/\breason:/.test(row.getText(source)))
        say(lineOf(row.getStart(source)), `limit ${row.name?.getText(source)} without a reason`);
    }
  };
  visit(source);
}

/**
 * npm ci refuses a lock that omits any platform's optional packages, and installing on one platform drops the others'.
 */
export function lockBreaches(lock) {
  const { packages } = lock;
  const missing = [];
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      if (!packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`])
        missing.push([1, `${name} of ${path} is not locked: npm ci will refuse the lock on a clean machine`]);
    }
  }
  return missing;
}

/** Tracked and new files, without those git ignores. */
function projectFiles() {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return list.split('\0').filter((path) => TEXT.test(path) && existsSync(join(root, path)));
}

function main() {
  const files = projectFiles();
  let count = 0;
  for (const path of files) {
    const text = readFileSync(join(root, path), 'utf8');
    const breaches = path === 'package-lock.json' ? lockBreaches(JSON.parse(text)) : breachesOf(path, text);
    for (const [line, what] of breaches) process.stdout.write(`${path}:${line}: ${what}\n`);
    count += breaches.length;
  }
  process.stdout.write(`style: ${files.length} files, ${count} breaches\n`);
  process.exitCode = count === 0 ? 0 : 1;
}

if (process.argv[1]?.endsWith('check-style.mjs')) main();
