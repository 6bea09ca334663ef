/**
 * The page in a real Chromium, on one cluster of eight cores: every action and every view, by what a person would see and do.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { ClusterPlace, until } from '../integration/running-cluster.ts';
import { startBrowser, whyNoChromium } from './browser.ts';

const why = whyNoChromium();
if (why !== null) process.stderr.write(`the page is not tested: ${why}\n`);
const describeHere = why === null ? describe : describe.skip;

describeHere('the page', () => {
  const place = new ClusterPlace();
  let browser: Browser;
  let page: Page;
  let url = '';

  beforeAll(async () => {
    const { launcher } = await place.boot('--cores', '8', '--ui');
    ({ url } = await launcher.message<{ url: string }>('page'));
    browser = await startBrowser();
    page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    await page.goto(url);
    await core(7).waitFor();
  });

  afterAll(async () => {
    await browser?.close();
    await place.cleanUp();
  });

  const core = (number: number) => page.getByRole('button', { name: new RegExp(`^core ${number},`) });
  const button = (name: string) => page.getByRole('button', { name, exact: true });

  /** Opens a view as a person does. */
  async function open(view: string): Promise<void> {
    await page
      .getByRole('navigation')
      .getByRole('link', { name: new RegExp(`^${view}`) })
      .click();
  }

  /** Exactly these cores are chosen. */
  async function choose(...cores: readonly number[]): Promise<void> {
    await open('Machine');
    await button('None').click();
    for (const number of cores) await core(number).click();
  }

  /** The faults in force, by mkctl's word. */
  const faults = () => place.ask<{ rule: { id: string; kind: string; groups?: unknown } }[]>('faults');

  test('a partition is clicked, acts, is seen, and heals', async () => {
    expect(await page.title()).toBe('mk');
    expect(page.url()).not.toContain('token');
    await choose(0, 1, 2, 3);
    await expectText('mkctl partition 0-3 rest');
    await button('Cut off').click();
    await until('the partition', async () => (await faults()).find(({ rule }) => rule.kind === 'partition'));
    await open('Faults');
    await page
      .getByText(/partition 0.* \| rest/)
      .first()
      .waitFor();
    // It acts: heartbeats between the halves are lost, and the page counts them.
    await page.getByText(/[1-9]\d* dropped/).waitFor();
    await button('Heal partition:0-3_rest').click();
    await page.getByText('No fault is in force').waitFor();
    expect(await faults()).toEqual([]);
  });

  async function expectText(text: string): Promise<void> {
    await page.getByText(text, { exact: true }).first().waitFor();
  }
});
