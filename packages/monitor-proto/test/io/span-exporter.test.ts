import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type SpanExporter, spanExporter } from '../../src/io/span-exporter.ts';

/** A small collector: keeps what is posted to it, and answers with `status`. */
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code: number };
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
}
interface Posted {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly object[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}
const posted: { readonly path: string; readonly body: Posted }[] = [];
let status = 200;
let server: Server;
let url = '';

beforeAll(async () => {
  server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      posted.push({ path: request.url ?? '', body: JSON.parse(text) as Posted });
      response.writeHead(status).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const ROUND = {
  op: '3.1.42',
  plan: 'numa',
  phases: 2,
  cores: 4,
  messages: 12,
  elapsed_us: 2500,
  result: 'ok',
} as const;
const exporter = (): SpanExporter =>
  spanExporter({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/` }, () => ({ core: 3, incarnation: 1 }))!;

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
const spansSent = (exporting: SpanExporter, fate: string): number =>
  exporting.metrics()[0]!.samples.find(({ labels }) => labels?.['fate'] === fate)!.value;

test('an operation is a span: its own trace, its time, its result, its process', async () => {
  const exporting = exporter();
  exporting.logged('round_started', { op: '3.1.42' });
  exporting.logged('round_finished', ROUND);
  exporting.logged('operation_unanswered', {
    ...ROUND,
    op: '3.1.43',
    kind: 'revoke',
    plan: undefined,
    result: 'OPERATION_TIMEOUT',
  });
  exporting.flush();
  await eventually(() => spansSent(exporting, 'sent') === 2);
  const { path, body } = posted.at(-1)!;
  expect(path).toBe('/v1/traces');
  const [{ resource, scopeSpans }] = body.resourceSpans as [Posted['resourceSpans'][number]];
  expect(resource.attributes).toContainEqual({ key: 'service.instance.id', value: { stringValue: 'core-3' } });
  const [round, revoke] = scopeSpans[0]!.spans as [Span, Span];
  expect(round).toMatchObject({ name: 'round, numa, 2-phase', status: { code: 1 } });
  expect(round.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(round.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(round.traceId).not.toBe(revoke.traceId);
  expect(BigInt(round.endTimeUnixNano) - BigInt(round.startTimeUnixNano)).toBe(2_500_000n);
  expect(round.attributes).toContainEqual({ key: 'mk.op', value: { stringValue: '3.1.42' } });
  expect(round.attributes).toContainEqual({ key: 'mk.messages', value: { intValue: '12' } });
  expect(revoke).toMatchObject({ name: 'revoke', status: { code: 2, message: 'OPERATION_TIMEOUT' } });
});

test('what a collector does not take, or has no room to wait, is dropped and counted', async () => {
  status = 503;
  const exporting = exporter();
  for (let i = 0; i < 3000; i++) exporting.logged('round_finished', { ...ROUND, op: `3.1.${i}` });
  expect(spansSent(exporting, 'dropped')).toBe(3000 - 2048);
  exporting.flush();
  await eventually(() => spansSent(exporting, 'dropped') === 3000);
  status = 200;
});

test.each([[{}], [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }], [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }]])(
  'off without a URL: %j',
  (environment) => {
    expect(spanExporter(environment, () => ({ core: 0, incarnation: 1 }))).toBeNull();
  },
);
