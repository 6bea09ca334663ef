import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type SpanExporter, spanExporter } from '../../src/io/span-exporter.ts';
import { mutantsOf } from '../../../../test/support/mutations.ts';

/** Collectors that answer anything, or nothing: every span is counted once, and nothing else happens. */

const ANSWERS = [
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
].map((text) => Buffer.from(text));

let server: Server;
let answer: (socket: Socket) => void = () => undefined;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function newExporter(): SpanExporter {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return spanExporter({ OTEL_EXPORTER_OTLP_ENDPOINT: url }, () => ({ core: 3, incarnation: 1 }))!;
}

const counted = (exporter: SpanExporter): number =>
  exporter.metrics()[0]!.samples.reduce((sum, { value }) => sum + value, 0);

async function exported(spans: number): Promise<SpanExporter> {
  const exporter = newExporter();
  for (let i = 0; i < spans; i++) exporter.logged('round_finished', { op: `1.1.${i}`, elapsed_us: 5, kind: 'x' });
  exporter.flush();
  while (counted(exporter) === 0 || sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  return exporter;
}

test('mutants of sound answers', async () => {
  await fc.assert(
    fc.asyncProperty(mutantsOf(ANSWERS), async (bytes) => {
      answer = (socket) => void socket.end(bytes);
      expect(counted(await exported(3))).toBe(3);
    }),
    { numRuns: 100 },
  );
});

test('an answer that is broken off after its head, or never ends, is counted once and let go', async () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n';
  answer = (socket) => {
    socket.write(`${head}x`);
    setTimeout(() => socket.resetAndDestroy(), 20);
  };
  expect(counted(await exported(3))).toBe(3);
  answer = (socket) => {
    socket.write(head);
    const drip = setInterval(() => socket.write('x'), 50);
    socket.on('close', () => clearInterval(drip));
  };
  expect(counted(await exported(3))).toBe(3);
});
