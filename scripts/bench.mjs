// `npm run bench -- [--against REVISION] NAME [args]`: builds, bundles benchmarks/NAME.ts and runs it. Without a name: lists them.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { benchAgainst } from './bench-against.mjs';
import { install, root, run } from './install.mjs';

const words = process.argv.slice(2);
const revision = words[0] === '--against' ? words.splice(0, 2)[1] : undefined;
const [name, ...rest] = words;
const known = readdirSync(join(root, 'benchmarks'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3));
if (name === undefined || !existsSync(join(root, 'benchmarks', `${name}.ts`))) {
  process.stderr.write(
    `npm run bench -- [--against REVISION] NAME; benchmarks: ${known.filter((n) => !['cluster', 'nursery', 'report', 'skb-figures'].includes(n)).join(', ')}\n`,
  );
  process.exit(2);
}
if (revision !== undefined) {
  benchAgainst(revision, words);
  process.exit();
}
install();
run('node', ['scripts/build.mjs']);
// A bundled CommonJS package (yaml) asks for Node's own modules by `require`.
const banner = {
  js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
};
const outfile = join(root, 'dist', 'bench', `${name}.mjs`);
await build({
  absWorkingDir: root,
  entryPoints: [`benchmarks/${name}.ts`],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['@mk/source'],
  external: [
    'esbuild',
    'ws',
    'swipl-wasm',
    'node-sqlite3-wasm',
    'fs-native-extensions',
    'msgpackr',
    'playwright-core',
    '@peculiar/x509',
    'reflect-metadata',
  ],
  banner,
  logLevel: 'warning',
});
process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED = 'true'; // as the loader of the built programs does
run('node', [outfile, ...rest]);
