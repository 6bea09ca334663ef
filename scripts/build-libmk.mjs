// Builds packages/libmk/dist, which `npm pack -w packages/libmk` packs: JavaScript with its dependencies bundled in,
// declarations for all modules, and the programs that ship. Does nothing when the sources have not changed.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, posix, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from './install.mjs';

const packages = join(root, 'packages');
const target = join(packages, 'libmk', 'dist');
const STAMP = 'sources.sha256';
/** Names that only some environments declare; an empty interface becomes one that extends theirs. */
const GLOBALS = 'globals.d.ts';
/** Packages whose code the bundles contain, with their licences. */
const BUNDLED = ['msgpackr', 'ws', 'zod'];
/**
 * ws asks for Node's modules by require. esbuild would give all modules one helper for that, also those of programs,
 * which run without Node: hence imports instead. The optional native add-ons of ws and msgpackr are declined, as in
 * dist/.
 */
const requiredByImport = {
  name: 'required-by-import',
  setup(builder) {
    builder.onResolve({ filter: /./ }, ({ path, kind, namespace }) => {
      if (kind !== 'require-call') return undefined;
      if (ADD_ONS.includes(path)) return { path, namespace: 'declined' };
      if (!isBuiltin(path)) return undefined;
      return { path, namespace: namespace === 'required' ? 'imported' : 'required' };
    });
    builder.onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require('${path}').default;`,
    }));
    builder.onLoad({ filter: /./, namespace: 'imported' }, ({ path }) => ({
      contents: `export { default } from 'node:${path.replace(/^node:/, '')}';`,
    }));
    builder.onLoad({ filter: /./, namespace: 'declined' }, ({ path }) => ({
      contents: `throw new Error('${path} is not used');`,
    }));
  },
};
const ADD_ONS = ['bufferutil', 'utf-8-validate', 'msgpackr-extract'];

/** Builds the package unless it is up to date. */
export async function buildLibmk() {
  const wanted = stampOfSources();
  if (isBuilt(wanted)) return;
  const work = mkdtempSync(join(root, 'node_modules', '.mk-libmk-'));
  try {
    const modules = filesBelow(join(packages, 'libmk', 'src')).filter(
      (file) => !file.startsWith('dispatcher/context/'),
    );
    await Promise.all([bundleModules(modules, work), writePrograms(work)]);
    await writeDeclarations(modules, work);
    writeFileSync(join(work, 'LICENSES.txt'), licences());
    writeFileSync(join(work, STAMP), wanted);
    writeFileSync(join(work, GLOBALS), 'interface AbortSignal {}\n');
    moveIn(work, wanted);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Another process may have built in the meantime; its result is as good. */
function moveIn(work, wanted) {
  const old = `${work}.old`;
  try {
    if (existsSync(target)) renameSync(target, old);
    renameSync(work, target);
  } catch (error) {
    if (!isBuilt(wanted)) throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

function isBuilt(wanted) {
  return existsSync(join(target, STAMP)) && readFileSync(join(target, STAMP), 'utf8') === wanted;
}

/** All TypeScript files below a folder, sorted, with slashes. */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.split(sep).join('/'))
    .sort();
}

function stampOfSources() {
  const hash = createHash('sha256');
  for (const name of ['libmk', 'monitor-proto', 'machine', 'programs']) {
    const folder = join(packages, name, 'src');
    for (const file of filesBelow(folder)) hash.update(`${name}/${file}\0`).update(readFileSync(join(folder, file)));
  }
  for (const file of ['build-libmk.mjs', 'bundle-program.mjs']) hash.update(readFileSync(join(root, 'scripts', file)));
  for (const name of [...BUNDLED, 'esbuild', 'typescript'])
    hash.update(readFileSync(join(root, 'node_modules', name, 'package.json')));
  return hash.digest('hex');
}

/** Each module under its own name; shared code lies in chunks, so that each class exists once. */
async function bundleModules(modules, work) {
  const { outputFiles } = await build({
    // Relative: esbuild takes an entry with * for a pattern, and the checkout's folder name may contain one.
    absWorkingDir: join(packages, 'libmk', 'src'),
    entryPoints: modules,
    outbase: '.',
    outdir: join(work, 'libmk'),
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    write: false,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['@mk/source'],
    external: ['esbuild'],
    plugins: [requiredByImport],
    logLevel: 'warning',
  });
  for (const { path, text } of outputFiles) {
    if (/\b__require\(/.test(text)) throw new Error(`${relative(work, path)} asks for a module by require`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** The programs that ship, each bundled with its library into one text. */
async function writePrograms(work) {
  const { startedProgramText } = await import('./bundle-program.mjs');
  const sources = join(packages, 'programs', 'src');
  mkdirSync(join(work, 'libmk', 'programs'), { recursive: true });
  for (const file of readdirSync(sources).filter((name) => name.endsWith('.ts')))
    writeFileSync(
      join(work, 'libmk', 'programs', file.replace(/ts$/, 'js')),
      await startedProgramText(join(sources, file)),
    );
}

/** `packages/P/src/F.ts` becomes `P/F.d.ts`; its imports become relative paths. */
async function writeDeclarations(modules, work) {
  const { default: ts } = await import('typescript');
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const compilerOptions = {
    ...config.compilerOptions,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    noCheck: true,
    incremental: false,
    tsBuildInfoFile: undefined,
    rootDir: '.',
    outDir: '.',
    // As source paths, not as dependencies, whose declarations tsc would not write. Relative: the checkout's folder
    // name may contain a *.
    paths: Object.fromEntries(['monitor-proto', 'machine'].map((name) => [`@mk/${name}/*`, [`./${name}/src/*.ts`]])),
  };
  const { options } = ts.parseJsonConfigFileContent({ compilerOptions, files: [] }, ts.sys, packages);
  const program = ts.createProgram(
    modules.map((file) => join(packages, 'libmk', 'src', file)),
    options,
  );
  const { diagnostics, emitSkipped } = program.emit(undefined, (path, text) => {
    const place = relative(packages, path).split(sep).join('/').replace('/src/', '/');
    mkdirSync(dirname(join(work, place)), { recursive: true });
    const globals = text.includes('AbortSignal')
      ? `/// <reference path="${posix.relative(posix.dirname(place), GLOBALS)}" />\n`
      : '';
    writeFileSync(join(work, place), globals + withRelativeImports(place, text));
  });
  if (emitSkipped || diagnostics.length > 0)
    throw new Error(`no declarations of libmk: ${diagnostics.map(({ messageText }) => messageText).join('; ')}`);
}

/** Turns specifiers into what Node resolves in a package: `./x.ts` → `./x.js`, `@mk/p/x` → `../p/x.js`. */
export function withRelativeImports(place, text) {
  const own = posix.dirname(place);
  return text.replaceAll(/(from |import\()(['"])((?:@mk|\.{1,2})\/[^'"]+)\2/g, (_all, before, quote, specifier) => {
    const file = specifier.startsWith('@mk/') ? posix.relative(own, specifier.slice('@mk/'.length)) : specifier;
    const near = file.startsWith('.') ? file : `./${file}`;
    return `${before}${quote}${near.replace(/\.ts$/, '')}.js${quote}`;
  });
}

function licences() {
  const texts = BUNDLED.map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8')}`;
  });
  return `This package holds parts of these:\n\n${texts.join('\n\n---\n\n')}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildLibmk();
