import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { authorised, denied, httpHandler, mayLook } from '@mk/monitor-proto/io/http-server';
import { GuardedServer } from '@mk/monitor-proto/io/guarded-server';
import { fetchText } from '@mk/libmk/io/control-call';
import { mergeMetrics } from '../client/merge-metrics.ts';
import { SlowReader } from './slow-reader.ts';
import type { Supervisor } from './supervisor.ts';
import { runSupervisorVerb, type SupervisorVerbContext } from './verbs.ts';

/**
 * The supervisor's own port: `/control` for mkctl, `/metrics` of all processes merged, `/healthz`, `/logs` as a stream.
 */
export class ControlServer {
  private readonly handle: RequestListener;
  private server: GuardedServer | null = null;

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
      supervisor.config.metricsToken,
    );
    this.handle = (request, response) => {
      const path = (request.url ?? '/').split('?')[0];
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (reads && path === '/metrics') void this.metrics(request, response);
      else if (reads && path === '/logs') this.logs(request, response);
      else handle(request, response);
    };
  }

  /** Listens on a free port of this host; resolves with its address. */
  async listen(): Promise<string> {
    const { tls } = this.supervisor.credentialsOf('launcher');
    this.server = new GuardedServer(this.handle, tls ?? null, (fault, from) => this.context.refused(fault, from));
    return `127.0.0.1:${await this.server.listen('127.0.0.1', 0)}`;
  }

  close(): void {
    this.server?.close();
  }

  private health(): { readonly ok: boolean; readonly [key: string]: unknown } {
    const rows = this.context.control.ps();
    const down = rows.filter(({ state }) => state !== 'running').map(({ name, state }) => ({ name, state }));
    return { ok: down.length === 0, cluster: this.supervisor.config.name, processes: rows.length, down };
  }

  private async metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!mayLook(request, this.supervisor.token, this.supervisor.config.metricsToken))
      return denied(response, 'the metrics token');
    const rows = this.context.control.ps().filter(({ state }) => state === 'running');
    const pages = await Promise.all(
      rows.map(({ name, address }) =>
        fetchText(address, this.supervisor.access, '/metrics').then(
          ({ body }) => ({ process: name, body }),
          () => null,
        ),
      ),
    );
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(mergeMetrics(pages.filter((page) => page !== null)));
  }

  /** The kept lines as NDJSON; with `?follow` the connection stays open for new lines. */
  private logs(request: IncomingMessage, response: ServerResponse): void {
    if (!authorised(request, this.supervisor.token)) return void response.writeHead(401).end();
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    for (const line of this.supervisor.logs.lines()) response.write(`${line}\n`);
    if (request.method === 'HEAD' || !(request.url ?? '').includes('follow')) return void response.end();
    const out = new SlowReader('stream', response);
    const stop = this.supervisor.logs.follow((line) => out.line(line));
    response.on('close', stop);
  }
}
