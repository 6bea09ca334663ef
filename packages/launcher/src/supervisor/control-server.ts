import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { portOf } from '@mk/monitor-proto/io/port';
import { timingSafeEqual } from 'node:crypto';
import { httpHandler } from '@mk/monitor-proto/io/http-server';
import { fetchText } from '@mk/libmk/io/control-call';
import { mergeMetrics } from '../client/merge-metrics.ts';
import { SlowReader } from './slow-reader.ts';
import type { Supervisor } from './supervisor.ts';
import { runSupervisorVerb, type SupervisorVerbContext } from './verbs.ts';

/**
 * The supervisor's own port: `/control` for mkctl, `/metrics` of all processes merged, `/healthz`, `/logs` as a stream.
 */
export class ControlServer {
  private readonly server: Server;

  constructor(
    private readonly supervisor: Supervisor,
    private readonly context: SupervisorVerbContext,
  ) {
    const handle = httpHandler(
      {
        health: () => this.health(),
        metrics: () => '',
        control: ({ verb, args }) => runSupervisorVerb(context, verb, args),
      },
      supervisor.token,
    );
    this.server = createServer((request, response) => {
      const path = (request.url ?? '/').split('?')[0];
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (reads && path === '/metrics') void this.metrics(response);
      else if (reads && path === '/logs') this.logs(request, response);
      else handle(request, response);
    });
  }

  /** Listens on a free port of this host; its address. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => this.server.once('error', reject).listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${portOf(this.server)}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private health(): { readonly ok: boolean; readonly [key: string]: unknown } {
    const rows = this.context.control.ps();
    const down = rows.filter(({ state }) => state !== 'running').map(({ name, state }) => ({ name, state }));
    return { ok: down.length === 0, cluster: this.supervisor.config.name, processes: rows.length, down };
  }

  private async metrics(response: ServerResponse): Promise<void> {
    const rows = this.context.control.ps().filter(({ state }) => state === 'running');
    const pages = await Promise.all(
      rows.map(({ name, address }) =>
        fetchText(address, '/metrics').then(
          ({ body }) => ({ process: name, body }),
          () => null,
        ),
      ),
    );
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(mergeMetrics(pages.filter((page) => page !== null)));
  }

  /** The kept lines as NDJSON; with `?follow` the connection stays and new lines follow. */
  private logs(request: IncomingMessage, response: ServerResponse): void {
    const given = Buffer.from(request.headers.authorization ?? '');
    const wanted = Buffer.from(`Bearer ${this.supervisor.token}`);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return void response.writeHead(401).end();
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    for (const line of this.supervisor.logs.lines()) response.write(`${line}\n`);
    if (request.method === 'HEAD' || !(request.url ?? '').includes('follow')) return void response.end();
    const out = new SlowReader('stream', response);
    const stop = this.supervisor.logs.follow((line) => out.line(line));
    response.on('close', stop);
  }
}
