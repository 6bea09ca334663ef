import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Authority } from '@mk/launcher/tls/authority';
import { GuardedServer } from '@mk/monitor-proto/io/guarded-server';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { accessOf, callControl } from '@mk/libmk/io/control-call';

/** A control port with TLS, one without, and what reaches them. */
const SECRET = '00'.repeat(32);
const folder = mkdtempSync(join(tmpdir(), 'mk-kept-'));
const revoked = join(folder, 'revoked.txt');
const seen: Socket[] = [];
const servers: GuardedServer[] = [];
let credentials: { readonly skb: TlsSettings; readonly client: TlsSettings };

beforeAll(async () => {
  const authority = await Authority.create('mk', 1);
  const of = async (name: string): Promise<TlsSettings> => ({
    ca: authority.ca,
    ...(await authority.issue([name], 1)),
  });
  writeFileSync(revoked, '');
  credentials = { skb: await of('skb'), client: { ...(await of('client')), revoked } };
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

async function listen(tls: TlsSettings | null): Promise<string> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push(request.socket);
    request.resume().on('end', () => response.end('{"ok":true,"value":null}'));
  };
  const server = new GuardedServer(answer, tls, () => undefined);
  servers.push(server);
  return `127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
}

test.each([true, false])('requests to one process share a connection, over TLS: %s', async (secured) => {
  const address = await listen(secured ? credentials.skb : null);
  const access = accessOf(SECRET, secured ? credentials.client : null);
  seen.length = 0;
  for (let i = 0; i < 3; i++) await callControl(address, access, 'status');
  expect([seen.length, new Set(seen).size]).toEqual([3, 1]);
  await Promise.all([0, 1].map(() => callControl(address, access, 'status')));
  expect(new Set(seen).size).toBe(2);
});

test('a connection that waits ends by itself, long before the server would end it', async () => {
  const address = await listen(credentials.skb);
  const access = accessOf(SECRET, credentials.client);
  await callControl(address, access, 'status');
  const waiting = Object.values(access.connections.freeSockets).flatMap((sockets) => sockets ?? []);
  expect(waiting.map(({ timeout }) => timeout)).toEqual([4000]);
  const closed = new Promise<void>((resolve) => waiting[0]!.once('close', () => resolve()));
  waiting[0]!.emit('timeout'); // as after these four seconds
  await closed;
  expect(access.connections.freeSockets).toEqual({});
});

test('a kept connection is not used once the certificate at its other end is revoked', async () => {
  const address = await listen(credentials.skb);
  const access = accessOf(SECRET, credentials.client);
  await callControl(address, access, 'status');
  appendFileSync(revoked, `${new X509Certificate(credentials.skb.cert).serialNumber}\n`);
  // The list is checked at most twice a second.
  const refusal = async (): Promise<string> => {
    for (;;) {
      const answer = await callControl(address, access, 'status').then(() => 'let in', String);
      if (answer !== 'let in') return answer;
    }
  };
  expect(await refusal()).toContain('CERTIFICATE_REVOKED');
});
