// Bundles the live page into ui.html, ui.js and ui.css in a folder: complete, loading nothing from elsewhere.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './install.mjs';

const PAGE = 'packages/ui/src/page';

/** What Chromium, Firefox and Safari have supported since 2022. */
const TARGET = ['es2022', 'chrome105', 'firefox104', 'safari16'];

export async function bundlePage(folder) {
  copyFileSync(join(root, PAGE, 'ui.html'), join(folder, 'ui.html'));
  await build({
    // Relative, as in build.mjs: esbuild takes an entry with * for a pattern.
    absWorkingDir: root,
    entryPoints: { ui: `${PAGE}/main.tsx` },
    outdir: folder,
    bundle: true,
    minify: true,
    platform: 'browser',
    target: TARGET,
    format: 'iife',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    conditions: ['@mk/source'],
    legalComments: 'none',
    logLevel: 'warning',
  });
  await build({
    absWorkingDir: root,
    entryPoints: { ui: `${PAGE}/styles.css` },
    outdir: folder,
    bundle: true,
    minify: true,
    target: TARGET,
    logLevel: 'warning',
  });
}
