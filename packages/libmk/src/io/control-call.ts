import { isRecord } from '@mk/monitor-proto/guards';
import { codeOf } from '@mk/monitor-proto/thrown';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { type ClientRequest, type IncomingMessage, request, type RequestOptions } from 'node:http';
import { controlToken } from '@mk/monitor-proto/io/crypto';
import { faultOfDial, TlsEnd, type TlsSettings } from '@mk/monitor-proto/io/tls';
import { type Address, type LinkPlace, parseAddress, parseLinkAddress } from '@mk/monitor-proto/address';
import type { ControlReply } from '@mk/monitor-proto/step';
import { KeptConnections } from './kept-connections.ts';

/** The credentials that a cluster's processes require. */
export interface Access {
  readonly token: string;
  /** Over TLS, or plain HTTP. */
  readonly connections: KeptConnections;
}

/** The credentials for the processes of the cluster with this secret (hex). */
export function accessOf(secret: string, tls: TlsSettings | null): Access {
  return { token: controlToken(Buffer.from(secret, 'hex')), connections: connectionsOver(tls) };
}

/** Connections for requests to processes that speak TLS, or to those that do not. */
export function connectionsOver(tls: TlsSettings | null): KeptConnections {
  return tls === null ? PLAIN : new KeptConnections(new TlsEnd(tls));
}

export interface CallOptions {
  /** Slow by nature: the wait is not reported. */
  readonly patient?: boolean;
  readonly timeoutMs?: number;
}

/**
 * A request that failed. `error` is a name of the error table, or one of the client's own: UNREACHABLE, TIMEOUT,
 * NO_CLUSTER.
 */
export class ControlError extends Error {
  override readonly name = 'ControlError';

  constructor(
    readonly error: string,
    text: string,
  ) {
    super(`${error}: ${text}`);
  }
}

const DEFAULT_TIMEOUT_MS = 20_000;
const PLAIN = new KeptConnections(null);

/**
 * Calls a verb of one process (`host:port` or `ws+unix:/path`); resolves with its value, or rejects with a
 * ControlError.
 */
export async function callControl(
  address: string,
  access: Access,
  verb: string,
  args: object = {},
  options: CallOptions = {},
): Promise<unknown> {
  const body = JSON.stringify({ verb, args });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const answer = await http(address, access, {
    method: 'POST',
    path: '/control',
    headers,
    body,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  });
  const reply = parseReply(answer.body);
  if (reply === null)
    throw new ControlError(
      'BAD_REQUEST',
      `${address} answered ${answer.status} with something that is not a control reply; is it a process of mk?`,
    );
  if (!reply.ok) throw new ControlError(reply.error, reply.text);
  return reply.value;
}

/** The text and status of a page: `/metrics`, `/healthz`. */
export async function fetchText(
  address: string,
  access: Access,
  path: string,
  timeoutMs = 5000,
): Promise<{ readonly status: number; readonly body: string }> {
  return http(address, access, { method: 'GET', path, headers: {}, body: '', timeoutMs });
}

interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
  readonly timeoutMs: number;
}

function http(
  address: string,
  access: Access,
  { method, path, headers, body, timeoutMs }: HttpRequest,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = openRequest(address, access, { method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        timer.cancel();
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    const fail = (error: Error): void => {
      timer.cancel();
      reject(
        error instanceof ControlError
          ? error
          : (refusalOf(address, error) ??
              new ControlError('UNREACHABLE', `${address} cannot be reached (${codeOf(error) ?? error.message})`)),
      );
    };
    const timer = callAfter(timeoutMs, () =>
      call.destroy(new ControlError('TIMEOUT', `${address} did not answer within ${timeoutMs / 1000} s`)),
    );
    call.on('error', fail);
    call.end(body);
  });
}

/** Where to connect: a core that accepts links at a Unix socket answers requests there, too. */
export function placeOf(address: string): LinkPlace {
  const place = parseLinkAddress(address);
  return place !== null && 'path' in place ? place : splitAddress(address);
}

/** Opens a request to a process of the cluster; the caller ends it. */
export function openRequest(
  address: string,
  { token, connections }: Access,
  options: RequestOptions,
  answered: (response: IncomingMessage) => void,
): ClientRequest {
  const headers = { ...options.headers, authorization: `Bearer ${token}` };
  connections.dropRevoked();
  const place = placeOf(address);
  const to = 'path' in place ? { socketPath: place.path } : place;
  return request({ ...options, ...to, headers, agent: connections }, answered);
}

/** The error for a refusal by certificate, on either side; null: it failed otherwise. */
function refusalOf(address: string, error: Error): ControlError | null {
  const fault = faultOfDial(error);
  return fault === null ? null : new ControlError(fault.error, `${address}: ${fault.text}`);
}

/** Splits `host:port`; an IPv6 host stands in brackets. */
export function splitAddress(address: string): Address {
  const parsed = parseAddress(address);
  if (parsed === null)
    throw new ControlError(
      'BAD_REQUEST',
      `${JSON.stringify(address)} is not an address; write host:port, IPv6 as [::1]:7000`,
    );
  return parsed;
}

function parseReply(body: string): ControlReply | null {
  try {
    const reply: unknown = JSON.parse(body);
    if (!isRecord(reply)) return null;
    const { ok, value, error, text } = reply;
    if (ok === true) return { ok, value };
    return ok === false && typeof error === 'string' && typeof text === 'string' ? { ok, error, text } : null;
  } catch {
    return null;
  }
}
