// `npm run screenshots`: boots eight cores, opens the page in the host's Chromium, and writes the pictures of
// docs/guides/watch-it-live.md into docs/figures. What is on them is a real cluster; each run has other times and seeds.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { install, root, run } from './install.mjs';

install();
run('node', ['scripts/build.mjs']);

const CHROMIUM = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'chromium'))
  .find((path) => existsSync(path));
if (CHROMIUM === undefined) {
  process.stderr.write('screenshots: there is no chromium on this host (apt-get install chromium)\n');
  process.exit(2);
}
const state = mkdtempSync(join(tmpdir(), 'mk-screenshots-'));
const env = { ...process.env, MK_STATE_DIR: state };
const program = (name) => join(root, 'dist', `${name}.cjs`);
const mkctl = (...args) => spawnSync(process.execPath, [program('mkctl'), ...args], { env, encoding: 'utf8' });

const launcher = spawn(
  process.execPath,
  [program('mk-launch'), '--cores', '8', '--machine', 'amd-8x4', '--latency', '3ms', '--ui', '--json'],
  { env, stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  await picture(await pageOf(launcher));
} finally {
  launcher.kill('SIGINT');
  await new Promise((resolve) => launcher.once('exit', resolve));
  rmSync(state, { recursive: true, force: true });
}

function pageOf({ stdout }) {
  return new Promise((resolve) => {
    createInterface(stdout).on('line', (line) => {
      const { type, url } = JSON.parse(line);
      if (type === 'page') resolve(url);
    });
  });
}

async function picture(url) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 860 } });
    const save = (name) => page.screenshot({ path: join(root, 'docs', 'figures', `${name}.png`) });
    const open = (view) =>
      page
        .getByRole('navigation')
        .getByRole('link', { name: new RegExp(`^${view}`) })
        .click();
    await page.goto(url);
    await page.getByText(/round trip/).waitFor();
    await page.getByLabel('Tree of').selectOption('0');
    for (const core of [0, 1]) await page.getByRole('button', { name: new RegExp(`^core ${core},`) }).click();
    await page.getByRole('button', { name: 'Cut off', exact: true }).click();
    await page
      .getByText(/\| rest/)
      .first()
      .waitFor();
    await page.waitForTimeout(1500);
    await save('page-machine');
    await page.getByRole('button', { name: 'Heal everything' }).click();
    await page.locator('.deeds li', { hasText: /healed/ }).waitFor();
    await open('Operations');
    await page.getByRole('button', { name: 'Show messages and stages' }).click();
    await page.waitForFunction(() => globalThis.mkSession.deeds[0]?.ok === true);
    mkctl('bench', 'revoke', '--count', '3');
    await page
      .getByRole('row', { name: /revoke.*done 8/ })
      .first()
      .getByRole('button')
      .click();
    await save('page-operation');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 400, height: 860 });
    await open('Machine');
    await page.waitForTimeout(500);
    await save('page-phone-dark');
  } finally {
    await browser.close();
  }
}
