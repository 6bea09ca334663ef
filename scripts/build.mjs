// Bundles each program into one minified CommonJS file under dist/, and a V8 code cache beside those that boot often.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './install.mjs';

/** name under dist/ → entry. `external` packages are loaded from node_modules at run time. */
const PROGRAMS = {
  core: { entry: 'packages/node-kernel/src/main.ts', cached: true },
  skb: { entry: 'packages/skb/src/main.ts', cached: true, external: ['swipl-wasm', 'node-sqlite3-wasm'] },
  'skb-engine': { entry: 'packages/skb/src/engine/worker-main.ts', external: ['swipl-wasm', 'node-sqlite3-wasm'] },
  'mk-launch': { entry: 'packages/launcher/src/bin/mk-launch.ts', executable: true },
  'mk-node': { entry: 'packages/launcher/src/bin/mk-node.ts', executable: true },
  mkctl: { entry: 'packages/launcher/src/bin/mkctl.ts', executable: true },
};

/** Compiles a bundle from its V8 code cache; a cache that this V8 does not accept is ignored. */
const LOADER = `'use strict';
const fs = require('node:fs'), vm = require('node:vm'), path = require('node:path'), Module = require('node:module');
const file = path.join(__dirname, 'NAME.cjs'), cacheFile = path.join(__dirname, 'NAME.cache');
const source = Module.wrap(fs.readFileSync(file, 'latin1'));
let cachedData;
try { cachedData = fs.readFileSync(cacheFile); } catch {}
const script = new vm.Script(source, { filename: file, cachedData, importModuleDynamically: vm.constants && vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
if (process.env.MK_MAKE_CACHE) process.on('exit', () => fs.writeFileSync(cacheFile, script.createCachedData()));
const mod = { exports: {} };
script.runInThisContext().call(mod.exports, mod.exports, Module.createRequire(file), mod, file, __dirname);
`;

const dist = join(root, 'dist');
mkdirSync(dist, { recursive: true });

const wanted = Object.entries(PROGRAMS).filter(([, { entry }]) => existsSync(join(root, entry)));
await Promise.all(wanted.map(([name, program]) => bundle(name, program)));
for (const [name, { cached }] of wanted) if (cached) makeCodeCache(name);

function bundle(name, { entry, external = [], executable = false }) {
  const shebang = executable ? '#!/usr/bin/env node\n' : '';
  return build({
    entryPoints: [join(root, entry)],
    outfile: join(dist, `${name}.cjs`),
    bundle: true,
    minify: !process.env.MK_NOMIN,
    keepNames: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    conditions: ['@mk/source'],
    external: [...external, 'bufferutil', 'utf-8-validate'],
    define: { 'import.meta.url': '__importMetaUrl' },
    banner: { js: `${shebang}const __importMetaUrl=require('node:url').pathToFileURL(__filename).href;` },
    logLevel: 'warning',
  });
}

/** Runs the program once without settings: it ends with a complaint, and everything that it compiled is kept. */
function makeCodeCache(name) {
  const loader = join(dist, `boot-${name}.cjs`);
  rmSync(join(dist, `${name}.cache`), { force: true });
  writeFileSync(loader, LOADER.replaceAll('NAME', name));
  spawnSync(process.execPath, [loader], { env: { ...process.env, MK_MAKE_CACHE: '1', MK_CORE: undefined, MK_SKB: undefined }, stdio: 'ignore' });
  if (!existsSync(join(dist, `${name}.cache`))) process.stderr.write(`mk: no code cache for ${name}; it boots slower\n`);
}
