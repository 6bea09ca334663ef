/**
 * The page in a real Chromium, on one cluster of eight cores: every action and every view, through what a person sees
 * and does.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { ClusterPlace, until } from '../integration/running-cluster.ts';
import { startBrowser, whyNoChromium } from './browser.ts';
import {
  type Deed,
  hasAllViews,
  HOSTILE,
  namelessControls,
  type PageGlobals,
  readability,
  SHARER,
  suspicion,
} from './in-page.ts';

const why = whyNoChromium();
if (why !== null) process.stderr.write(`the page is not tested: ${why}\n`);
const describeHere = why === null ? describe : describe.skip;
/** Guards against a page that hangs; how long drawing takes depends on the host. */
const PATIENCE_MS = 600_000;

describeHere('the page', () => {
  const place = new ClusterPlace();
  let browser: Browser;
  let page: Page;
  let url = '';
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    const { launcher } = await place.boot('--cores', '8', '--ui');
    ({ url } = await launcher.message<{ url: string }>('page'));
    browser = await startBrowser();
    page = await newPage();
    await page.setViewportSize({ width: 1200, height: 900 });
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(url);
    await core(7).waitFor();
  });

  afterAll(async () => {
    await browser?.close();
    await place.cleanUp();
  });

  async function newPage(): Promise<Page> {
    const opened = await browser.newPage();
    opened.setDefaultTimeout(PATIENCE_MS);
    return opened;
  }

  const core = (number: number) => page.getByRole('button', { name: new RegExp(`^core ${number},`) });
  const button = (name: string) => page.getByRole('button', { name, exact: true });

  /** Opens a view as a person does. */
  async function open(view: string): Promise<void> {
    await page
      .getByRole('navigation')
      .getByRole('link', { name: new RegExp(`^${view}`) })
      .click();
  }

  /** Exactly these cores are selected. */
  async function choose(...cores: readonly number[]): Promise<void> {
    await open('Machine');
    await button('None').click();
    for (const number of cores) await core(number).click();
  }

  /** The faults in force, according to mkctl. */
  const faults = () => place.ask<{ rule: { id: string; kind: string } }[]>('faults');

  /** Presses a button of the act panel that shows this command, and waits until it is done. */
  async function act(name: string, command: string): Promise<void> {
    await expectText(command);
    expect(await done(name)).toEqual({ line: command, ok: true, text: expect.any(String) });
    await page.locator('.deeds li:first-child:not(.failed)', { hasText: command }).waitFor();
  }

  /** Presses a button and waits for its result; results already in the list do not count. */
  async function done(name: string): Promise<Omit<Deed, 'id'>> {
    const last = await page.evaluate(() => (globalThis as unknown as PageGlobals).mkSession.deeds[0]?.id ?? null);
    await button(name).click();
    await page.waitForFunction((before) => {
      const [deed] = (globalThis as unknown as PageGlobals).mkSession.deeds;
      return deed !== undefined && deed.id !== before && deed.ok !== null;
    }, last);
    const deeds = await page.evaluate(() => (globalThis as unknown as PageGlobals).mkSession.deeds);
    const { line, ok, text } = deeds[0]!;
    return { line, ok, text };
  }

  async function expectText(text: string): Promise<void> {
    await page.getByText(text, { exact: true }).first().waitFor();
  }

  async function healAll(): Promise<void> {
    await open('Machine');
    await act('Heal everything', 'mkctl heal');
    await until('no fault', async () => (await faults()).length === 0);
  }

  test('a partition is clicked, acts, is seen, and heals', async () => {
    expect(await page.title()).toBe('mk');
    expect(page.url()).not.toContain('token');
    await choose(0, 1, 2, 3);
    await act('Cut off', 'mkctl partition 0-3 rest');
    expect((await faults()).map(({ rule }) => rule.id)).toEqual(['partition:0-3_rest']);
    await open('Faults');
    const cut = page.getByText(/partition 0.* \| rest/);
    await cut.first().waitFor();
    // It works: what core 0 sends to the other half is lost, and the page counts it.
    const across = place.mkctl('ping', '0', '4', '--count', '1');
    await page.getByText(/[1-9]\d* dropped/).waitFor();
    await button('Heal partition:0-3_rest').click();
    await across;
    await page.getByText('No fault is in force').waitFor();
    expect(await faults()).toEqual([]);
  });

  test('a link is slowed for a while, and is slow by the cluster’s own word', async () => {
    await choose(3, 7);
    await page.getByRole('textbox', { name: 'Delay', exact: true }).fill('30ms');
    await page.getByRole('combobox', { name: /^For/ }).selectOption('60s');
    await act('Slow', 'mkctl link 3 7 --delay 30ms --for 60s');
    const { min_ns: least } = await place.ask<{ min_ns: number }>('ping', '3', '7', '--count', '2');
    expect(least).toBeGreaterThanOrEqual(59.9e6);
    await act('Heal this link', 'mkctl heal 3 7');
    expect(await faults()).toEqual([]);
    await page.getByRole('combobox', { name: /^For/ }).selectOption('');
  });

  test('frames of a core are lost; a link is cut; everything heals', async () => {
    await choose(5);
    await page.getByRole('textbox', { name: 'Loss', exact: true }).fill('25%');
    await act('Lose', 'mkctl link 5 all --loss 25%');
    await choose(1, 2);
    await act('Cut this link', 'mkctl partition 1 2');
    expect((await faults()).map(({ rule }) => rule.id).sort()).toEqual(['link:5-all:loss', 'partition:1_2']);
    await healAll();
  });

  test('a core hangs and wakes, crashes and starts again', async () => {
    await choose(4);
    await act('Hang', 'mkctl hang 4');
    await page.getByRole('button', { name: /^core 4, hung/ }).waitFor();
    await healAll();
    await page.getByRole('button', { name: /^core 4, running/ }).waitFor();
    await choose(6);
    await act('Crash', 'mkctl crash 6');
    await page.getByRole('button', { name: /^core 6, ended/ }).waitFor();
    await open('Faults');
    await page.getByText(/core 6 has ended/).waitFor();
    await button('Restart core 6').click();
    await open('Machine');
    await page.getByRole('button', { name: /^core 6, running, package \d, incarnation 2/ }).waitFor();
    expect(await place.ask<{ state: string }[]>('ps')).toHaveLength(9);
  });

  test('the SKB can be cut off too; what is refused is said', async () => {
    await choose();
    await button('SKB').click();
    await act('Cut off', 'mkctl isolate skb');
    await healAll();
    await choose(0, 1);
    await page.getByRole('textbox', { name: 'Delay', exact: true }).fill('soon');
    expect(await done('Slow')).toMatchObject({ ok: false });
    await page.locator('.deeds .failed').getByText(/soon/).last().waitFor();
    expect(await faults()).toEqual([]);
    await page.getByRole('textbox', { name: 'Delay', exact: true }).fill('20ms');
  });

  test('the links are measured, and the matrix is read by keyboard', async () => {
    await choose();
    await act('Measure the links', 'mkctl measure');
    await open('Latency');
    const matrix = page.getByRole('img', { name: /round trips of 8 cores/ });
    await matrix.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.getByText(/core 0 to core 1: shortest [\d.]+/).waitFor();
    expect(await page.getByRole('table').getByRole('row').count()).toBeGreaterThan(1);
  });

  test('the tree of a root is drawn', async () => {
    await open('Machine');
    await page.getByLabel('Tree of').selectOption('3');
    await until('the tree of core 3', () =>
      page.evaluate(() => (globalThis as unknown as PageGlobals).mkSession.model.trees.get('multicast 3')?.core === 3),
    );
    await page.getByLabel('Tree of').selectOption('');
  });

  test('a revoke runs down the cores: marks, commits, messages, and its space-time diagram', async () => {
    await open('Operations');
    expect(await done('Show messages and stages')).toMatchObject({ ok: true });
    await place.ask('bench', 'revoke', '--count', '2');
    const row = page.getByRole('row', { name: /revoke.*done [2-8]/ }).first();
    await row.getByRole('button').click();
    const diagram = page.getByRole('region', { name: 'space-time diagram' });
    await diagram.waitFor();
    // Each core's log arrives at its own time.
    for (const [arrow, least] of [
      ['.arrow:not(.lost)', 8],
      ['.cap_revoke_mark', 7],
      ['.cap_revoke_commit', 7],
    ] as const)
      await until(`${least} of ${arrow}`, async () => (await diagram.locator(arrow).count()) >= least);
    await page.getByLabel('Scale').selectOption('time');
    await page.getByText(/To scale: [\d.]+ .?s from/).waitFor();
    await button('Show only what has ended').click();
  });

  test('rates and percentiles, memory and domains, capabilities and their owners', async () => {
    await open('Rates');
    await page.getByText(/all cores: [\d.]+ messages and [1-9][\d.]* frames a second/).waitFor();
    await page.getByRole('row', { name: /^revoke \d+/ }).waitFor();
    await open('Memory');
    await page.getByRole('row', { name: /^core 7 .*64 MiB/ }).waitFor();
    const domains = page.getByText(/No domain of a program|program/);
    await domains.first().waitFor();
    const [{ address }] = [await place.ask<{ address: string }>('cap', 'alloc', await domainOn(2), '1MiB')];
    expect(address).toBeDefined();
    await open('Capabilities');
    await page.getByRole('textbox', { name: 'Filter', exact: true }).fill('RAM');
    await page
      .getByRole('row', { name: /^2 .*RAM.*core 2/ })
      .first()
      .waitFor();
    await page.getByRole('textbox', { name: 'Filter', exact: true }).fill('nothing is called so');
    await page.getByText(/^0 of \d+ capabilities/).waitFor();
  });

  test('address spaces and pages of a program that shares memory', async () => {
    const file = join(place.state, `${HOSTILE.name}.mjs`);
    writeFileSync(file, SHARER);
    const sharer = place.start('mkctl.cjs', ['run', file]);
    await until('the program has mapped', () => sharer.stdout.includes('mapped'));
    await open('Memory');
    const [space] = await place.ask<{ domain: string; mapped: { virtual: number; frame: number }[] }[]>('vspace');
    const { virtual, frame } = space!.mapped[0]!;
    const hex = (address: number): string => `0x${address.toString(16)}`;
    const mapped = page.getByRole('region', { name: 'address spaces' });
    await mapped.getByRole('row', { name: `${space!.domain} ${hex(virtual)} 8 KiB 4 KiB ${hex(frame)} rw-` }).waitFor();
    const [directory] = await place.ask<{ state: string; owner: number | null }[]>('pages', String(frame));
    const row = page.getByRole('region', { name: 'pages' }).getByRole('row', { name: hex(frame), exact: false });
    await row.getByText(directory!.state).waitFor();
    // The program's name and output are text, in every view.
    await page.getByText(HOSTILE.name).first().waitFor();
    await open('Log');
    await page.getByText(HOSTILE.line).first().waitFor();
    expect(await page.locator('img, main script').count()).toBe(0);
    sharer.child.kill('SIGINT');
    await sharer.ended;
  });

  test('views: number, members, leader, leases, and how they came about', async () => {
    await open('Views');
    const { view, leader } = await place.ask<{ view: number; leader: number }>('view');
    await page.getByText(`View ${view}: 8 members, leader core ${leader}, lease`).waitFor();
    const cores = page.getByRole('region', { name: 'what each core says' });
    await until('all cores say so', async () => (await cores.getByRole('row').count()) === 9);
    // Core 6 has crashed and restarted: it left one view and came with the next.
    const before = page.getByRole('region', { name: 'views before' });
    await before
      .getByRole('row', { name: /core \d+ .*6$/ })
      .first()
      .waitFor();
  });

  async function domainOn(core: number): Promise<string> {
    const { domain } = await place.ask<{ domain: number }>('cap', 'domain', String(core));
    return `${core}/${domain}`;
  }

  test('the log is filtered by core, event, level and text, and leads to the operation', async () => {
    await open('Log');
    const rows = page.getByRole('log').getByRole('row');
    await page.getByRole('textbox', { name: 'Core', exact: true }).fill('6');
    await page.getByRole('textbox', { name: 'Event', exact: true }).fill('core_*');
    await until('core_ready of core 6 alone', async () => {
      const texts = (await rows.allInnerTexts()).slice(1);
      return texts.length > 0 && texts.every((text) => text.includes('core 6') && text.includes('core_ready'));
    });
    await expectText("mkctl logs --follow --core 6 --event 'core_*'");
    await page.getByRole('textbox', { name: 'Event', exact: true }).fill(`(${'*'.repeat(200)}z`);
    await page.getByText(/^0 lines shown/).waitFor();
    await page.getByRole('textbox', { name: 'Core', exact: true }).fill('');
    await page.getByRole('textbox', { name: 'Event', exact: true }).fill('cap_operation');
    await page.getByRole('combobox', { name: /^Level/ }).selectOption('info');
    await rows.nth(1).getByRole('button').first().click();
    await page.getByRole('heading', { name: /^(revoke|copy|retype|delete) \d+\.\d+\.\d+/ }).waitFor();
    await button('Close').click();
  });

  test('what a page is told is recorded, and replayed with a slider', async () => {
    const file = join(place.state, 'run.ndjson');
    const recording = place.start('mkctl.cjs', ['ui', '--record', file]);
    await until('all cores are recorded', () => {
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
      const cores = lines.some((line) => line.includes('"type":"cores"') && line.split('"running"').length > 9);
      return cores && lines.some(hasAllViews);
    });
    recording.child.kill('SIGINT');
    expect((await recording.ended).status).toBe(0);
    appendFileSync(file, `${JSON.stringify(suspicion(file))}\n`);
    const server = place.start('mkctl.cjs', ['ui', '--replay', file]);
    await until('the address', () => server.stdout.includes('\n'));
    const replay = await newPage();
    await replay.goto(server.stdout.split('\n')[0]!);
    const slider = replay.getByRole('slider', { name: 'Time of the recording' });
    await slider.fill((await slider.getAttribute('max'))!);
    await replay.getByRole('button', { name: /^core 7, running/ }).waitFor();
    await slider.fill((await slider.getAttribute('min'))!);
    await replay.getByText('0 of 0 cores run').waitFor();
    await replay.getByRole('button', { name: 'Play', exact: true }).click();
    await replay.getByText('8 of 8 cores run').waitFor();
    expect(await replay.getByRole('button', { name: 'Crash', exact: true }).count()).toBe(0);
    await replay.getByRole('link', { name: 'Views' }).click();
    await slider.fill((await slider.getAttribute('max'))!);
    await replay.getByText('Suspected: core 5.').waitFor();
    await replay.getByRole('row', { name: 'core 5 1 none: fenced', exact: false }).waitFor();
    await replay.close();
    server.child.kill();
  });

  test('without the token the page looks; with it, pasted, it acts', async () => {
    const guest = await newPage();
    await guest.goto(url.split('#')[0]!);
    await guest.getByRole('button', { name: /^core 0,/ }).click();
    expect(await guest.getByRole('button', { name: 'Crash', exact: true }).isDisabled()).toBe(true);
    await guest.getByText(/this page only looks/).waitFor();
    const token = (await place.mkctl('ui', '--token')).stdout.trim();
    await guest.getByRole('button', { name: 'Give a token' }).click();
    await guest.getByLabel('Token').fill(token);
    await guest.keyboard.press('Enter');
    await guest.getByText('acts', { exact: true }).waitFor();
    expect(await guest.getByRole('button', { name: 'Crash', exact: true }).isEnabled()).toBe(true);
    await guest.close();
  });

  const VIEWS = ['Machine', 'Latency', 'Operations', 'Faults', 'Views', 'Capabilities', 'Memory', 'Rates', 'Log'];

  test('every control has a name, in every view', async () => {
    for (const view of VIEWS) {
      await open(view);
      expect(await page.evaluate(namelessControls)).toEqual([]);
      expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
    }
  });

  test('by keyboard alone: skip link, views, a core, an action; the focus is seen', async () => {
    await page.goto(url.split('#')[0]!);
    await core(0).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the view');
    for (const view of VIEWS) {
      await page.keyboard.press('Tab');
      expect(await focused()).toBe(view);
    }
    expect(await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)).toBe('solid');
    while (!(await focused()).startsWith('0')) await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.locator('[aria-pressed=true]').and(core(0)).waitFor();
    while ((await focused()) !== 'Slow') await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('.deeds li').first().getByText('mkctl link 0 all --delay 20ms').waitFor();
    await healAll();
  });

  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');

  test('at 400 px nothing needs a horizontal scroll; dark and light are both readable', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const view of VIEWS) {
        await open(view);
        const { wide, contrast } = await page.evaluate(readability);
        expect({ view, wide }).toEqual({ view, wide: 400 });
        expect(contrast).toBeGreaterThan(7);
      }
    }
    await page.setViewportSize({ width: 1200, height: 900 });
  });

  test('nothing came from elsewhere, and nothing went wrong', () => {
    const { origin } = new URL(url);
    expect(requests.filter((asked) => !asked.startsWith(origin) && !asked.startsWith('data:'))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
