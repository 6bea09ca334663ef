import { isRecord } from '@mk/monitor-proto/guards';
import { codeOf } from '@mk/monitor-proto/thrown';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { Agent, request } from 'node:http';
import { type Address, parseAddress, parseLinkAddress } from '@mk/monitor-proto/address';
import type { ControlReply } from '@mk/monitor-proto/step';

export interface CallOptions {
  /** It takes its time by nature: nobody is told of the wait. */
  readonly patient?: boolean;
  readonly timeoutMs?: number;
}

/**
 * A request that failed: `error` is a name of the error table, or of the client itself: UNREACHABLE, TIMEOUT, NO_CLUSTER.
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
/** Connections are not kept: one that the other end closes for idleness at that moment would fail a request. */
const agent = new Agent({ keepAlive: false, maxSockets: 128 });

/** Asks one process (`host:port` or `ws+unix:/path`) to do a verb; its value, or a ControlError. */
export async function callControl(
  address: string,
  token: string,
  verb: string,
  args: object = {},
  options: CallOptions = {},
): Promise<unknown> {
  const body = JSON.stringify({ verb, args });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    authorization: `Bearer ${token}`,
  };
  const answer = await http(address, {
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
      `${address} answered ${answer.status} with something that is no control reply; is it a process of mk?`,
    );
  if (!reply.ok) throw new ControlError(reply.error, reply.text);
  return reply.value;
}

/** The text and the status of a page: `/metrics`, `/healthz`. */
export async function fetchText(
  address: string,
  path: string,
  timeoutMs = 5000,
): Promise<{ readonly status: number; readonly body: string }> {
  return http(address, { method: 'GET', path, headers: {}, body: '', timeoutMs });
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
  { method, path, headers, body, timeoutMs }: HttpRequest,
): Promise<{ status: number; body: string }> {
  const place = placeOf(address);
  return new Promise((resolve, reject) => {
    const call = request({ ...place, method, path, headers, agent }, (response) => {
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
          : new ControlError('UNREACHABLE', `${address} cannot be reached (${codeOf(error) ?? error.message})`),
      );
    };
    const timer = callAfter(timeoutMs, () =>
      call.destroy(new ControlError('TIMEOUT', `${address} did not answer within ${timeoutMs / 1000} s`)),
    );
    call.on('error', fail);
    call.end(body);
  });
}

/** Where to connect: a core that takes links at a Unix socket answers requests there, too. */
function placeOf(address: string): { readonly socketPath: string } | Address {
  const place = parseLinkAddress(address);
  return place !== null && 'path' in place ? { socketPath: place.path } : splitAddress(address);
}

/** Splits `host:port`; an IPv6 host stands in brackets. */
export function splitAddress(address: string): Address {
  const parsed = parseAddress(address);
  if (parsed === null)
    throw new ControlError(
      'BAD_REQUEST',
      `${JSON.stringify(address)} is no address; write host:port, IPv6 as [::1]:7000`,
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
