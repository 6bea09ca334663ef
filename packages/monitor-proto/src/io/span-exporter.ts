import { createHash } from 'node:crypto';
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import type { LogEventName, LogFields } from '../log-events.ts';
import type { MetricFamily } from '../metrics.ts';
import { callAfter, type LongTimer } from './long-timer.ts';
import { VERSION } from '../version.ts';

/**
 * Spans that may wait for the next request; further ones are dropped and counted, so that a collector delays nobody.
 * As many again are in the request under way.
 */
const MAX_WAITING = 2048;
/** `answer`: from the first byte that is sent to the answer's last, so that a collector that trickles holds nothing for ever. */
const TIMES_MS = { send: 1000, answer: 5000 };
const OK = 1;
const ERROR = 2;
const INTERNAL_KIND = 1;

/** A process as OpenTelemetry describes it. */
export interface SpanSource {
  readonly core: string | number;
  readonly incarnation: number;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}

/**
 * Exports operations as OpenTelemetry spans, over OTLP/HTTP in JSON (`/v1/traces`), from the log events that end them.
 * Each operation is a trace whose id derives from the operation's, so that a search for 3.1.42 finds it.
 */
export class SpanExporter {
  private waiting: object[] = [];
  private timer: LongTimer | null = null;
  /** Spans of the request that is under way; 0: none is. */
  private underWay = 0;
  private sent = 0;
  private dropped = 0;

  constructor(
    private readonly endpoint: URL,
    private readonly source: () => SpanSource,
    private readonly timesMs = TIMES_MS,
  ) {}

  logged(event: LogEventName, { op, elapsed_us: elapsedUs, ...fields }: LogFields): void {
    if (typeof op !== 'string' || typeof elapsedUs !== 'number') return;
    if (this.waiting.length >= MAX_WAITING) return void (this.dropped += 1);
    const end = BigInt(Date.now()) * 1_000_000n;
    const result = String(fields['result'] ?? 'ok');
    this.waiting.push({
      traceId: hashOf(op, 32),
      spanId: hashOf(`${event} ${op}`, 16),
      name: nameOf(fields),
      kind: INTERNAL_KIND,
      startTimeUnixNano: String(end - BigInt(Math.round(elapsedUs)) * 1000n),
      endTimeUnixNano: String(end),
      attributes: Object.entries({ op, event, ...fields }).map(([key, value]) => attribute(`mk.${key}`, value)),
      status: result === 'ok' ? { code: OK } : { code: ERROR, message: result },
    });
    this.sendSoon();
  }

  /** Sends the waiting spans, even beside a request under way: for a process that is about to end. */
  flush(): void {
    this.timer?.cancel();
    this.send();
  }

  metrics(): readonly MetricFamily[] {
    return [
      {
        name: 'mk_spans_total',
        type: 'counter',
        help: 'Spans of operations for OpenTelemetry: taken by the collector, or dropped.',
        samples: [
          { labels: { fate: 'sent' }, value: this.sent },
          { labels: { fate: 'dropped' }, value: this.dropped },
        ],
      },
    ];
  }

  private sendSoon(): void {
    this.timer ??= callAfter(this.timesMs.send, () => {
      this.timer = null;
      if (this.underWay === 0) this.send();
    }).unref();
  }

  private send(): void {
    const spans = this.waiting;
    if (spans.length === 0) return;
    this.waiting = [];
    this.underWay += spans.length;
    const body = JSON.stringify({
      resourceSpans: [{ resource: this.resource(), scopeSpans: [{ scope: { name: 'mk', version: VERSION }, spans }] }],
    });
    const count = spans.length;
    post(this.endpoint, body, this.timesMs.answer, (taken) => {
      this.underWay -= count;
      if (taken) this.sent += count;
      else this.dropped += count;
      if (this.waiting.length > 0) this.sendSoon();
    });
  }

  private resource(): { readonly attributes: readonly Attribute[] } {
    const { core, incarnation } = this.source();
    return {
      attributes: [
        attribute('service.name', 'mk'),
        attribute('service.instance.id', typeof core === 'number' ? `core-${core}` : core),
        attribute('service.version', VERSION),
        attribute('mk.incarnation', incarnation),
      ],
    };
  }
}

/** One request. `ended` is called once: when the collector has answered, or is given up; nothing is held afterwards. */
function post(endpoint: URL, body: string, answerMs: number, ended: (taken: boolean) => void): void {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const open = endpoint.protocol === 'https:' ? overHttps : overHttp;
  let taken = false;
  const call = open(endpoint, { method: 'POST', headers }, (response) => {
    taken = response.statusCode === 200;
    response.resume();
  });
  const patience = callAfter(answerMs, () => call.destroy()).unref();
  call.on('error', () => undefined);
  call.on('close', () => {
    patience.cancel();
    ended(taken);
  });
  call.end(body);
}

/**
 * An exporter as OpenTelemetry's own variables configure it (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or
 * OTEL_EXPORTER_OTLP_ENDPOINT plus `/v1/traces`); null without them, or when they hold no URL.
 */
export function spanExporter(
  environment: Readonly<Record<string, string | undefined>>,
  source: () => SpanSource,
): SpanExporter | null {
  const exact = environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? '';
  const base = environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  const text = exact !== '' ? exact : base === '' ? '' : `${base.replace(/\/$/, '')}/v1/traces`;
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return null;
  return new SpanExporter(new URL(text), source);
}

function nameOf({ kind, plan, phases }: LogFields): string {
  return plan === undefined ? String(kind) : `round, ${String(plan)}, ${String(phases)}-phase`;
}

function attribute(key: string, value: unknown): Attribute {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return { key, value: { intValue: String(value) } };
  return { key, value: { stringValue: typeof value === 'object' ? JSON.stringify(value) : String(value) } };
}

/** Hex digits that differ for different texts. */
function hashOf(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}
