import { isRecord } from '../guards.ts';
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ControlReply, ControlRequest } from '../step.ts';

/** The HTTP services of a process's port. */
export interface HttpOwner {
  health(): { readonly ok: boolean; readonly [key: string]: unknown };
  metrics(): string;
  control(request: ControlRequest): Promise<ControlReply>;
}

const MAX_BODY_BYTES = 1 << 20;

/**
 * `/healthz`, `/metrics`, and `/control` for holders of the control token. With a metrics token the first two need
 * either token.
 */
export function httpHandler(
  owner: HttpOwner,
  token: string,
  metricsToken?: string,
): (request: IncomingMessage, response: ServerResponse) => void {
  const routes: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
    'GET /healthz': (request, response) => {
      if (!mayLook(request, token, metricsToken)) return denied(response, 'the metrics token');
      const health = owner.health();
      answer(response, health.ok ? 200 : 503, health);
    },
    'GET /metrics': (request, response) => {
      if (!mayLook(request, token, metricsToken)) return denied(response, 'the metrics token');
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(owner.metrics());
    },
    'POST /control': (request, response) => {
      if (!authorised(request, token)) return denied(response, 'the control token');
      readBody(request, response, (body) => void control(owner, body, response));
    },
  };
  return (request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    // Node omits the body of an answer to HEAD; all else is as for GET (RFC 9110 §9.3.2).
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const known = `${method} ${path}`;
    const route = Object.hasOwn(routes, known) ? routes[known] : undefined;
    if (route !== undefined) return guarded(response, () => route(request, response));
    const allowed = Object.keys(routes).find((name) => name.endsWith(` ${path}`));
    if (allowed !== undefined) response.setHeader('allow', allowed.startsWith('GET') ? 'GET, HEAD' : 'POST');
    answer(response, allowed === undefined ? 404 : 405, {
      ok: false,
      error: 'BAD_REQUEST',
      text: `nothing at ${request.method} ${path}; try ${Object.keys(routes).join(', ')}`,
    });
  };
}

async function control(owner: HttpOwner, body: string, response: ServerResponse): Promise<void> {
  const request = parse(body);
  if (request === null)
    return answer(response, 400, { ok: false, error: 'BAD_REQUEST', text: 'the body is not {"verb": …, "args": {…}}' });
  const reply = await owner.control(request);
  guarded(response, () => answer(response, reply.ok ? 200 : 400, reply));
}

/** Confines our own failure over one request, such as an answer that is not JSON, to that request. */
function guarded(response: ServerResponse, act: () => void): void {
  try {
    act();
  } catch (error) {
    if (response.headersSent) response.destroy();
    else answer(response, 500, { ok: false, error: 'INTERNAL', text: String(error) });
  }
}

function parse(body: string): ControlRequest | null {
  try {
    const request: unknown = JSON.parse(body);
    if (!isRecord(request)) return null;
    const { verb, args = {} } = request;
    return typeof verb === 'string' && isRecord(args) ? { verb, args } : null;
  } catch {
    return null;
  }
}

/**
 * Whether the caller may read health and metrics: with either token, or without one where there is no metrics token.
 */
export function mayLook(request: IncomingMessage, token: string, metricsToken?: string): boolean {
  return metricsToken === undefined || authorised(request, metricsToken) || authorised(request, token);
}

/** Answers 401: a token is missing or wrong. */
export function denied(response: ServerResponse, what: string): void {
  response.setHeader('www-authenticate', 'Bearer');
  answer(response, 401, { ok: false, error: 'WRONG_SECRET', text: `${what} is missing or wrong` });
}

/** Whether a request presents this token. */
export function authorised(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function readBody(request: IncomingMessage, response: ServerResponse, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    else {
      answer(response, 413, {
        ok: false,
        error: 'BAD_REQUEST',
        text: `a control request may have at most ${MAX_BODY_BYTES} bytes`,
      });
      request.destroy();
    }
  });
  request.on('end', () => {
    if (bytes <= MAX_BODY_BYTES) done(Buffer.concat(chunks).toString('utf8'));
  });
  request.on('error', () => response.destroy());
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  if (response.writableEnded) return;
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
