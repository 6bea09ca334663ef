/** A page that stays open: its server is stopped, killed and started again, and the cluster grows, shrinks and returns. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { ClusterPlace, freePort, type ReadyMessage, type Running, until } from '../integration/running-cluster.ts';
import { startBrowser, whyNoChromium } from './browser.ts';

const why = whyNoChromium();
if (why !== null) process.stderr.write(`a page that stays open is not tested: ${why}\n`);
const describeHere = why === null ? describe : describe.skip;
/** Guards against a page that hangs; how long drawing takes depends on the host. */
const PATIENCE_MS = 600_000;

describeHere('a page that stays open', () => {
  const place = new ClusterPlace();
  let browser: Browser;
  let launcher: Running;
  let ready: ReadyMessage;
  let port = '';
  let url = '';
  const complaints: string[] = [];

  beforeAll(async () => {
    port = String(await freePort());
    await boot();
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await place.cleanUp();
  });

  async function boot(): Promise<void> {
    ({ launcher, ready } = await place.boot('--cores', '3', '--ui', '--ui-port', port));
    ({ url } = await launcher.message<{ url: string }>('page'));
  }

  async function newPage(): Promise<Page> {
    const opened = await browser.newPage();
    opened.setDefaultTimeout(PATIENCE_MS);
    opened.on('pageerror', (error) => complaints.push(error.message));
    return opened;
  }

  const runs = (page: Page, text: string) => page.getByText(text, { exact: false }).first().waitFor();

  test('a server that says nothing is told from one that lives, and found again without a click', async () => {
    const guest = await newPage();
    await guest.clock.install();
    await guest.goto(url);
    await runs(guest, '3 of 3 cores run');
    // From here its clock advances only by these steps, however long a look takes.
    await guest.clock.pauseAt(Date.now() + 3_600_000);
    const says = (what: RegExp, stepMs: number) =>
      until(`the page says ${what.source}`, async () => {
        await guest.clock.runFor(stepMs);
        return what.test((await guest.locator('.trouble').textContent()) ?? '');
      });
    await says(/^$/, 50);
    process.kill(ready.supervisor.pid, 'SIGSTOP');
    await says(/^not live: the cluster’s page server has said nothing since/, 1000);
    process.kill(ready.supervisor.pid, 'SIGCONT');
    await says(/^$/, 50);
    process.kill(ready.supervisor.pid, 'SIGSTOP');
    await says(/^not live: no connection/, 1000);
    process.kill(ready.supervisor.pid, 'SIGCONT');
    await guest.clock.resume();
    await guest.getByText('acts', { exact: true }).waitFor();
    await guest.getByText('3 of 3 cores run').waitFor();
    await says(/^$/, 0);
    await guest.close();
  });

  test('two pages see a core come, crash and come again, and what one of them does', async () => {
    const [one, other] = [await newPage(), await newPage()];
    for (const page of [one, other]) {
      await page.goto(url);
      await runs(page, '3 of 3 cores run');
    }
    await place.mkctl('add');
    for (const page of [one, other]) await runs(page, '4 of 4 cores run');
    await one.getByRole('button', { name: /^core 3,/ }).click();
    await one.getByRole('button', { name: 'Crash', exact: true }).click();
    for (const page of [one, other]) await page.getByRole('button', { name: /^core 3, ended/ }).waitFor();
    await one.getByRole('button', { name: 'Restart', exact: true }).click();
    for (const page of [one, other])
      await page.getByRole('button', { name: /^core 3, running.*incarnation 2/ }).waitFor();
    await one.getByRole('link', { name: 'Views' }).click();
    await one.getByText(/: 4 members, leader/).waitFor();
    await other.close();
    await one.close();
    expect(complaints).toEqual([]);
  });

  test('a cluster that was killed and booted again on the same port is shown without a click', async () => {
    const page = await newPage();
    await page.goto(url);
    await runs(page, '4 of 4 cores run');
    launcher.child.kill('SIGKILL');
    await launcher.ended;
    await page.getByText('not live: no connection').waitFor();
    await place.mkctl('down');
    await boot();
    await runs(page, '3 of 3 cores run');
    // It holds the token of a cluster that is gone.
    await page.getByText('read-only').waitFor();
    expect(await page.getByRole('button', { name: 'Crash', exact: true }).isDisabled()).toBe(true);
    // The new address, pasted into the same tab, reloads no page.
    await page.goto(url);
    await page.getByText('acts', { exact: true }).waitFor();
    expect(page.url()).not.toContain('token');
    await page.close();
    expect(complaints).toEqual([]);
  });
});
