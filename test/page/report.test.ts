/** The report of a plan in a real Chromium. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { ClusterPlace } from '../integration/running-cluster.ts';
import { startBrowser, whyNoChromium } from './browser.ts';
import { readability } from './in-page.ts';

const why = whyNoChromium();
if (why !== null) process.stderr.write(`the report is not tested in a browser: ${why}\n`);
const describeHere = why === null ? describe : describe.skip;

describeHere('the report', () => {
  const place = new ClusterPlace();
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await place.cleanUp();
  });

  test('is a page that needs nothing else, at 400 px, in the dark and in the light', async () => {
    const plan = join(place.state, 'plan.yaml');
    writeFileSync(plan, 'cores: 3\nfaults:\n  - { at: 100ms, partition: { groups: [[0], rest], for: 300ms } }\n');
    const { status, stderr } = await place.start('mk-launch.cjs', ['sim', '--plan', plan, '--once']).ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const page = await browser.newPage();
    page.setDefaultTimeout(600_000);
    const [asked, complaints]: [string[], string[]] = [[], []];
    page.on('request', (request) => asked.push(request.url()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => complaints.push(message.text()));
    await page.setViewportSize({ width: 400, height: 800 });
    await page.goto(pathToFileURL(join(place.state, 'runs', 'latest', 'report.html')).href);
    for (const name of ['What was asked', 'What ended how', 'The run', 'What each fault did', 'Timeline'])
      await page.getByRole('heading', { name, exact: true }).waitFor();
    expect(await page.getByRole('img', { name: 'the run, to scale' }).locator('.fault').count()).toBe(1);
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      const { wide, contrast } = await page.evaluate(readability);
      expect(wide).toBe(400);
      expect(contrast).toBeGreaterThan(7);
    }
    expect(asked.filter((url) => !url.startsWith('data:'))).toEqual([page.url()]);
    expect(complaints).toEqual([]);
  });
});
