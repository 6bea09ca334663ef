// `npm run screenshots`: boots eight cores, opens the page in the host's Chromium, and writes the pictures of
// docs/guides/watch-it-live.md and docs/guides/write-a-fault-plan.md to docs/figures. They show a real cluster, so
// times and seeds differ on every run.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
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
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  await picture(await pageOf(launcher));
  await reportPicture();
} finally {
  await browser.close();
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
  {
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
    await open('Views');
    await page.getByText(/View \d+: 8 members/).waitFor();
    await save('page-views');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 400, height: 860 });
    await open('Machine');
    await page.waitForTimeout(500);
    await save('page-phone-dark');
  }
}

/** The report of a shipped plan on virtual time: the same picture each time except for the date. */
async function reportPicture() {
  const runs = join(state, 'runs');
  spawnSync(
    process.execPath,
    [program('mk-launch'), 'sim', '--plan', 'examples/bank-under-faults.yaml', '--once', '--runs', runs],
    {
      cwd: root,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const page = await browser.newPage({ viewport: { width: 1000, height: 1100 } });
  await page.goto(pathToFileURL(join(runs, 'latest', 'report.html')).href);
  await page.screenshot({ path: join(root, 'docs', 'figures', 'plan-report.png') });
}
