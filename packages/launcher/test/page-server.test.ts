import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { openPage } from '@mk/launcher/ui/open-page';
import type { PageSource } from '@mk/launcher/ui/page-source';
import type { OpenPage } from '@mk/launcher/boot/page-place';
import type { PageEvent } from '@mk/ui/model/page-events';

const TOKEN = 'f'.repeat(64);
const HELLO: PageEvent = {
  type: 'hello',
  t: 1,
  version: 1,
  cluster: 'test',
  mode: 'live',
  seed: '7',
  machine: 'flat',
  supervised: true,
};

/** A source that records its requests. */
class Asked implements PageSource {
  readonly token = TOKEN;
  readonly acts: unknown[] = [];
  watching = false;
  attention: readonly string[] = [];
  tell: (event: PageEvent) => void = () => undefined;
  opening = (): readonly PageEvent[] => [HELLO];
  start = (tell: (event: PageEvent) => void): void => {
    this.tell = tell;
    this.watching = true;
  };
  rest = (): void => void (this.watching = false);
  attend = ({ what }: { readonly what: ReadonlySet<string> }): void => void (this.attention = [...what]);
  act = (verb: string, args: unknown): Promise<string> => {
    this.acts.push([verb, args]);
    return verb === 'crash' ? Promise.reject(new Error('there is no core 9')) : Promise.resolve('done');
  };
}

/** A page as a program: what it receives, and what it sends. */
class Page {
  readonly told: Readonly<Record<string, unknown>>[] = [];
  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.told.push(JSON.parse(String(data)) as Record<string, unknown>));
  }

  static async open(url: string): Promise<Page> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}events`, { origin: url.slice(0, -1) });
    const page = new Page(socket);
    await once(socket, 'open');
    return page;
  }

  say(request: object): void {
    this.socket.send(JSON.stringify(request));
  }

  /** The first matching message, received already or yet to come. */
  async hears(type: string, passes: (message: Readonly<Record<string, unknown>>) => boolean = () => true) {
    for (;;) {
      const found = this.told.find((message) => message['type'] === type && passes(message));
      if (found !== undefined) return found;
      await once(this.socket, 'message');
    }
  }
}

describe('the page’s server', () => {
  let folder = '';
  let source: Asked;
  let page: OpenPage;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mk-page-'));
    writeFileSync(join(folder, 'ui.html'), '<!doctype html>');
    writeFileSync(join(folder, 'ui.js'), '');
    writeFileSync(join(folder, 'ui.css'), '');
    source = new Asked();
    page = await openPage({ host: '127.0.0.1', port: 0, names: [] }, source, folder);
  });

  afterEach(() => {
    page.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a page is told hello, and that it only looks until it has given the token', async () => {
    const client = await Page.open(page.url);
    expect(await client.hears('hello')).toEqual(HELLO);
    expect(await client.hears('may')).toMatchObject({ act: false });
    client.say({ type: 'act', id: 1, verb: 'heal', args: {} });
    expect(await client.hears('answer')).toMatchObject({ id: 1, ok: false });
    expect(source.acts).toEqual([]);
    client.say({ type: 'token', token: TOKEN });
    await client.hears('may', ({ act }) => act === true);
    client.say({ type: 'act', id: 2, verb: 'partition', args: { groups: ['0', 'rest'] } });
    expect(await client.hears('answer', ({ id }) => id === 2)).toMatchObject({ ok: true, text: 'done' });
    expect(source.acts).toEqual([['partition', { groups: ['0', 'rest'] }]]);
  });

  test('what the cluster refuses is told, and what is not an action of the page never reaches it', async () => {
    const client = await Page.open(page.url);
    client.say({ type: 'token', token: TOKEN });
    client.say({ type: 'act', id: 1, verb: 'crash', args: { targets: '9' } });
    expect(await client.hears('answer')).toMatchObject({ ok: false, text: 'there is no core 9' });
    const wrong: readonly [string, unknown][] = [
      ['down', {}],
      ['toString', {}],
      ['crash', { targets: 9 }],
      ['crash', { targets: '1', file: 'x' }],
      ['partition', { groups: [1, 2] }],
    ];
    for (const [i, [verb, args]] of wrong.entries()) {
      client.say({ type: 'act', id: 10 + i, verb, args });
      expect(await client.hears('answer', ({ id }) => id === 10 + i)).toMatchObject({ ok: false });
    }
    expect(source.acts).toHaveLength(1);
  });

  test('a wrong token lets nobody act, and who guesses is shown out', async () => {
    const client = await Page.open(page.url);
    for (let i = 0; i < 5; i++) client.say({ type: 'token', token: `${i}` });
    const [code] = (await once(client.socket, 'close')) as [number];
    expect(code).toBe(1008);
    expect(client.told.some(({ type, act }) => type === 'may' && act === true)).toBe(false);
  });

  test('what is not a request closes the connection', async () => {
    const noText = [
      '{"toString":1}',
      '{"valueOf":1,"toString":null}',
      '["token"]',
      `${'['.repeat(7000)}${']'.repeat(7000)}`,
    ];
    const misfits = noText.flatMap((value) => [
      `{"type":${value}}`,
      `{"type":"act","id":${value},"verb":"heal"}`,
      `{"type":"act","id":1,"verb":${value}}`,
    ]);
    for (const text of ['{', '[]', '{"type":"constructor"}', 'x'.repeat(20_000), ...misfits]) {
      const client = await Page.open(page.url);
      client.socket.send(text);
      await once(client.socket, 'close');
    }
    expect(source.acts).toEqual([]);
  });

  test('the cluster is asked only while a page looks, and for what it looks at', async () => {
    const client = await Page.open(page.url);
    expect(source.watching).toBe(true);
    client.say({ type: 'watch', what: ['memory', 'secrets'], root: 3, plan: 'numa' });
    client.say({ type: 'act', id: 1, verb: 'heal', args: {} });
    await client.hears('answer');
    expect(source.attention).toEqual(['memory']);
    client.socket.close();
    while (source.watching) await new Promise((resolve) => setImmediate(resolve));
    expect(source.attention).toEqual([]);
  });

  test('every page is told every event', async () => {
    const pages = await Promise.all([Page.open(page.url), Page.open(page.url)]);
    source.tell({ type: 'trouble', t: 2, text: 'the SKB does not answer' });
    for (const client of pages)
      expect(await client.hears('trouble')).toMatchObject({ text: 'the SKB does not answer' });
  });

  test('a page is told a recording as a whole, however long; who then reads no more is shown out', async () => {
    const long: PageEvent = { type: 'trouble', t: 2, text: 'x'.repeat(1 << 20) };
    source.opening = () => [HELLO, ...Array.from({ length: 40 }, () => long)];
    const client = await Page.open(page.url);
    await Promise.race([client.hears('may'), once(client.socket, 'close')]);
    // On a slow host the server's beats come in between.
    const types = client.told.map(({ type }) => type).filter((type) => type !== 'beat');
    expect(types).toEqual(['hello', ...Array<string>(40).fill('trouble'), 'may']);
    client.socket.pause();
    while (source.watching) {
      source.tell(long);
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.terminate();
  });

  test('a WebSocket of another site, or under a rebound name, is refused before it is one', async () => {
    const { port } = new URL(page.url);
    const forged: readonly Readonly<Record<string, string>>[] = [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `http://localhost:${port}` },
      { host: `evil.example:${port}`, origin: `http://evil.example:${port}` },
      { host: `127.0.0.1.evil.example:${port}`, origin: `http://127.0.0.1.evil.example:${port}` },
      {},
    ];
    for (const headers of forged) expect(await upgradeStatus(page.url, headers)).toBe(403);
    expect(await upgradeStatus(page.url, { origin: page.url.slice(0, -1) })).toBe(101);
    expect(await upgradeStatus(page.url, { origin: page.url.slice(0, -1) }, 'elsewhere')).toBe(404);
  });

  test('files come with headers that keep others out, and under no rebound name', async () => {
    const { status, headers } = await get(page.url, {});
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect((await get(page.url, { host: 'evil.example' })).status).toBe(403);
    expect((await get(page.url, {}, 'POST')).status).toBe(405);
    expect((await get(`${page.url}../../etc/passwd`, {})).status).toBe(404);
  });

  test('a port that is taken is said in one line', async () => {
    const { port } = new URL(page.url);
    await expect(openPage({ host: '127.0.0.1', port: Number(port), names: [] }, source, folder)).rejects.toThrow(
      `127.0.0.1:${port}: it is in use`,
    );
  });
});

function upgradeStatus(url: string, headers: Readonly<Record<string, string>>, path = 'events'): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(`${url}${path}`, {
      headers: {
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
        ...headers,
      },
    });
    const done = (status: number | undefined): void => {
      call.destroy();
      resolve(status ?? 0);
    };
    call.on('upgrade', ({ statusCode }) => done(statusCode));
    call.on('response', ({ statusCode }) => done(statusCode));
    call.on('error', reject);
    call.end();
  });
}

function get(url: string, headers: Readonly<Record<string, string>>, method = 'GET') {
  return new Promise<{ readonly status: number; readonly headers: NodeJS.Dict<string | string[]> }>(
    (resolve, reject) => {
      const call = request(url, { method, headers }, (response) => {
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
      });
      call.on('error', reject);
      call.end();
    },
  );
}
