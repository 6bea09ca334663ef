import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SpanExporter, spanExporter } from '../../src/io/span-exporter.ts';

/** A small collector: keeps the posted spans, and answers with `status`. */
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

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Bytes in use by live objects. */
function heapAfterGc(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

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

/** Collectors that end no request: one never answers, one never finishes its answer. */
const ENDLESS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'that is silent': () => undefined,
  'that trickles': (response) => {
    response.writeHead(200, { 'content-length': 1_000_000 });
    const timer = setInterval(() => response.write('.'), 1);
    response.on('close', () => clearInterval(timer));
  },
};

test.each(Object.keys(ENDLESS))('a collector %s costs a bounded number of spans', async (kind) => {
  let requests = 0;
  const collector = createServer((request, response) => {
    requests += 1;
    request.resume();
    ENDLESS[kind]!(response);
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  const exporting = new SpanExporter(new URL(`http://127.0.0.1:${port}/`), () => ({ core: 3, incarnation: 1 }), {
    send: 1,
    answer: 30,
  });
  let logged = 0;
  const heap: number[] = [];
  while (requests < 10) {
    for (let i = 0; i < 2500; i++) exporting.logged('round_finished', { ...ROUND, op: `3.1.${(logged += 1)}` });
    const held = logged - spansSent(exporting, 'sent') - spansSent(exporting, 'dropped');
    expect(held).toBeLessThanOrEqual(2 * 2048);
    const before = requests;
    await eventually(() => requests > before);
    heap.push(heapAfterGc());
  }
  expect(heap.at(-1)! - heap[2]!).toBeLessThan(8 * 2 ** 20);
  await eventually(() => spansSent(exporting, 'sent') + spansSent(exporting, 'dropped') === logged);
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

test.each([[{}], [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }], [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }]])(
  'off without a URL: %j',
  (environment) => {
    expect(spanExporter(environment, () => ({ core: 0, incarnation: 1 }))).toBeNull();
  },
);
