// Bundles each program into one minified CommonJS file under dist/, with a V8 code cache for those that boot often.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundlePage } from './bundle-page.mjs';
import { root } from './install.mjs';

/** Name under dist/ → entry. `external` packages are loaded from node_modules at run time. */
const PROGRAMS = {
  core: { entry: 'packages/node-kernel/src/main.ts', cached: true },
  skb: {
    entry: 'packages/skb/src/main.ts',
    cached: true,
    external: ['swipl-wasm', 'node-sqlite3-wasm', 'fs-native-extensions'],
  },
  'skb-engine': { entry: 'packages/skb/src/engine/io/worker-main.ts', external: ['swipl-wasm', 'node-sqlite3-wasm'] },
  'skb-witness': { entry: 'packages/skb/src/io/witness-main.ts' },
  'dispatcher-worker': { entry: 'packages/node-kernel/src/io/dispatchers/dispatcher-worker-main.ts' },
  'dispatcher-process': { entry: 'packages/node-kernel/src/io/dispatchers/dispatcher-process-main.ts' },
  'mk-launch': {
    entry: 'packages/launcher/src/bin/mk-launch.ts',
    executable: true,
    cached: true,
    external: ['esbuild', '@peculiar/x509', 'reflect-metadata'],
  },
  'mk-node': { entry: 'packages/launcher/src/bin/mk-node.ts', executable: true },
  mkctl: {
    entry: 'packages/launcher/src/bin/mkctl.ts',
    executable: true,
    external: ['esbuild', '@peculiar/x509', 'reflect-metadata'],
  },
};

/**
 * Compiles a bundle from its V8 code cache and ignores a cache that this V8 rejects. Declines the native add-ons that
 * ws and msgpackr would search the whole file system for: neither gains us anything (zero masks, short strings).
 */
const LOADER = `HEAD'use strict';
const fs = require('fs'), vm = require('vm');
process.env.WS_NO_BUFFER_UTIL = process.env.WS_NO_UTF_8_VALIDATE = '1';
process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED = 'true';
const file = __dirname + '/PROGRAM';
const source = '(function (exports, require, module, __filename, __dirname) {' + fs.readFileSync(file, 'latin1') + '\\n})';
let cachedData;
try { cachedData = fs.readFileSync(__dirname + '/NAME.cache'); } catch {}
const script = new vm.Script(source, { filename: file, cachedData });
const keep = process.env['MK_MAKE_CACHE_NAME'];
if (keep) process.on('exit', () => fs.writeFileSync(keep, script.createCachedData()));
const mod = { exports: {} };
script.runInThisContext().call(mod.exports, mod.exports, require, mod, file, __dirname);
`;

const SHEBANG = '#!/usr/bin/env node\n';

/** Node modules that a booting core does not need: each is loaded at its first use. */
const LAZY = ['http', 'https', 'tls', 'zlib', 'os', 'worker_threads', 'child_process', 'perf_hooks', 'module'];
const lazyBuiltins = {
  name: 'lazy-builtins',
  setup(builder) {
    builder.onResolve({ filter: new RegExp(`^(node:)?(${LAZY.join('|')})$`) }, ({ path, namespace }) =>
      namespace === 'lazy' ? { path, external: true } : { path: path.replace('node:', ''), namespace: 'lazy' },
    );
    builder.onLoad({ filter: /.*/, namespace: 'lazy' }, async ({ path }) => {
      const keys = Object.keys(await import(`node:${path}`)).filter(
        (key) => /^[A-Za-z_]\w*$/.test(key) && key !== 'default',
      );
      return {
        contents: `module.exports = {${keys.map((key) => `get ${key}() { return require('node:${path}').${key}; }`).join(',')}};`,
        loader: 'js',
      };
    });
  },
};

const dist = join(root, 'dist');
// Everything is built beside dist/ and moved in at the end, so that a cluster booting meanwhile never reads half a
// file.
const work = mkdtempSync(join(root, 'node_modules', '.mk-build-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
mkdirSync(dist, { recursive: true });

const wanted = Object.entries(PROGRAMS).filter(([, { entry }]) => existsSync(join(root, entry)));
await Promise.all([
  saveEngineState(),
  bundleContext(),
  bundlePrograms(),
  bundlePage(work),
  packLibrary(),
  ...wanted.map(([name, program]) => bundle(name, program)),
]);
for (const [name, program] of wanted)
  if (program.cached) writeFileSync(join(work, loaderOf(name, program)), loader(name, program));
await makeCodeCaches();
rmSync(join(dist, 'mk-launch.cache'), { force: true });
rmSync(join(dist, 'programs'), { recursive: true, force: true });
for (const file of readdirSync(work)) renameSync(join(work, file), join(dist, file));
await makeLauncherCache();
linkCommands();

/** `dist/bin`: the commands under their own names, for PATH. (npx finds them too, but takes a second longer.) */
function linkCommands() {
  mkdirSync(join(dist, 'bin'), { recursive: true });
  for (const [name, { executable }] of wanted) {
    if (!executable) continue;
    chmodSync(join(dist, `${name}.cjs`), 0o755);
    const link = join(dist, 'bin', name);
    rmSync(link, { force: true });
    symlinkSync(join('..', `${name}.cjs`), link);
  }
}

/** The file that starts a program whose bundle has a loader: the command's own name, or `boot-NAME`. */
function loaderOf(name, { executable }) {
  return executable ? `${name}.cjs` : `boot-${name}.cjs`;
}

function bundleOf(name, { executable, cached }) {
  return executable && cached ? `${name}.program.cjs` : `${name}.cjs`;
}

function loader(name, program) {
  return LOADER.replace('HEAD', program.executable ? SHEBANG : '')
    .replace('PROGRAM', bundleOf(name, program))
    .replaceAll('NAME', name);
}

function bundle(name, program) {
  const { entry, external = [], executable = false, cached = false } = program;
  const shebang = executable && !cached ? SHEBANG : '';
  return build({
    // Relative: esbuild takes an entry with * for a pattern, and the checkout's folder name may contain one.
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join(work, bundleOf(name, program)),
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    conditions: ['@mk/source'],
    external: [...external, 'bufferutil', 'utf-8-validate'],
    define: { 'import.meta.url': '__importMetaUrl' },
    // What pathToFileURL would return; calling it costs a booting core two milliseconds.
    banner: {
      js: `${shebang}const __importMetaUrl='file://'+encodeURI(__filename).replace(/[?#]/g,encodeURIComponent);`,
    },
    plugins: cached ? [lazyBuiltins] : [],
    logLevel: 'warning',
  });
}

/** The text evaluated first in the bare context of every dispatcher. */
async function bundleContext() {
  const { contextText } = await import('./bundle-program.mjs');
  writeFileSync(join(work, 'dispatcher-context.js'), await contextText());
}

/** The programs that ship, each bundled with its library: `mkctl run NAME` needs no bundler and no sources. */
async function bundlePrograms() {
  const { startedProgramText } = await import('./bundle-program.mjs');
  const sources = join(root, 'packages/programs/src');
  mkdirSync(join(work, 'programs'));
  for (const file of readdirSync(sources).filter((name) => name.endsWith('.ts')))
    writeFileSync(join(work, 'programs', file.replace(/ts$/, 'js')), await startedProgramText(join(sources, file)));
}

/**
 * libmk as users install it, for `mk-launch new`. Built in its own process, because it takes as much CPU time as all
 * the rest.
 */
async function packLibrary() {
  const packed = ['pack', '-w', 'packages/libmk', '--pack-destination', work, '--loglevel=error'];
  const child = spawn('npm', packed, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const status = await new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  if (status !== 0) process.exit(1);
}

/**
 * A saved Prolog state with the knowledge base's rules: reading libraries and rules at every start would take four
 * times as long.
 */
async function saveEngineState() {
  await bundle('skb-save', { entry: 'packages/skb/src/engine/io/save-main.ts', external: ['swipl-wasm'] });
  const program = join(work, 'skb-save.cjs');
  const child = spawn(process.execPath, [program, join(root, 'packages/skb/src/rules'), join(work, 'skb-engine.prc')], {
    stdio: 'inherit',
  });
  const status = await new Promise((resolve) => child.once('exit', resolve));
  if (status !== 0) process.exit(1);
  rmSync(program);
}

/**
 * Boots a small cluster and saves what its processes have compiled by then: a cache taken right after the start would
 * lack the functions that join the mesh, and each core would compile those again.
 */
async function makeCodeCaches() {
  const common = {
    cluster: 'build',
    secret: '00'.repeat(32),
    listenHost: '127.0.0.1',
    listenPort: 0,
    logLevel: 'info',
    detached: false,
  };
  const skb = program('skb', 'MK_SKB', {
    ...common,
    expectedCores: 3,
    maxCores: 3,
    seed: 'build',
    links: {},
    timeScale: 0,
    measure: true,
  });
  const cores = [0, 1, 2].map((core) => program('core', 'MK_CORE', { ...common, core, skb: null }, core === 1));
  const all = [skb, ...cores];
  const meshed = said(skb, 'mesh_complete');
  const { address } = await said(skb, 'listening');
  for (const core of cores) core.send({ type: 'skb', address });
  await meshed;
  await new Promise((resolve) => setTimeout(resolve, 400));
  const ends = all.map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of all) child.kill('SIGTERM');
  await Promise.all(ends);
  for (const name of ['core', 'skb'])
    if (!existsSync(join(work, `${name}.cache`)))
      process.stderr.write(`mk: no code cache for ${name}; it boots slower\n`);
}

/** The same for mk-launch, which boots a core from dist/: every user waits for its start. */
async function makeLauncherCache() {
  const cache = join(work, 'mk-launch.cache');
  const env = { ...process.env, MK_STATE_DIR: join(work, 'state'), 'MK_MAKE_CACHE_mk-launch': cache };
  const launcher = spawn(process.execPath, [join(dist, 'mk-launch.cjs'), '--cores', '2', '--json', '--for', '100ms'], {
    env,
    stdio: 'ignore',
  });
  await new Promise((resolve) => launcher.once('exit', resolve));
  if (existsSync(cache)) renameSync(cache, join(dist, 'mk-launch.cache'));
  else process.stderr.write('mk: no code cache for mk-launch; it starts slower\n');
}

function program(name, variable, settings, keepsCache = true) {
  const env = { ...process.env, [variable]: JSON.stringify(settings) };
  if (keepsCache) env[`MK_MAKE_CACHE_${name}`] = join(work, `${name}.cache`);
  return spawn(process.execPath, [join(work, `boot-${name}.cjs`)], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** The next IPC message of a type; rejects when the process ends first. */
function said(child, type) {
  return new Promise((resolve, reject) => {
    child.on('message', (message) => message.type === type && resolve(message));
    child.once('exit', (code) =>
      reject(
        new Error(`the build's own test cluster failed: a process ended with status ${code} before it said "${type}"`),
      ),
    );
  });
}
