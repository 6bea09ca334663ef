import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseChromeTrace, sliceAt } from '../support/chrome-trace.ts';
import { builtProgram } from './built-programs.ts';
import { ClusterPlace, until } from './running-cluster.ts';

/** What shows a running cluster to people: one cluster of three cores for all tests. */
const CORES = 3;
const place = new ClusterPlace();
/** A small OpenTelemetry collector. */
const spans: { readonly name: string; readonly status: { readonly code: number } }[] = [];
const collector = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  request.on('end', () => {
    const { resourceSpans } = JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: typeof spans }[] }[] };
    if (request.url === '/v1/traces')
      for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
    response.writeHead(200).end('{}');
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  // A core is suspected after a third of a lease, for which one test waits.
  const args = ['--cores', String(CORES), '--latency', '1ms', '--json', '--lease', '90s'];
  await place.start('mk-launch.cjs', args, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).message('ready');
});
afterAll(async () => {
  await place.cleanUp();
  await new Promise((resolve) => collector.close(resolve));
});

test('operations go to a collector of OpenTelemetry as spans', async () => {
  await place.mkctl('bench', 'round', '--plan', 'numa', '--phases', '2', '--count', '4');
  await until('four spans', () => spans.filter(({ name }) => name === 'round, numa, 2-phase').length === 4);
  expect(spans.every(({ status }) => status.code === 1)).toBe(true);
  const sent = /^mk_spans_total\{process="core-0",core="0",fate="sent"\} [4-9]/m;
  await until('they are counted', async () => sent.test((await place.mkctl('metrics')).stdout));
});

interface TopDocument {
  readonly faults: number;
  readonly processes: readonly {
    readonly process: string;
    readonly state: string;
    readonly sent_per_second: number | null;
    readonly suspects: number | null;
    readonly run_ratio: number | null;
    readonly dispatchers: readonly { readonly program: string }[];
  }[];
}

test('top as JSON: everybody, with rates; a process that hangs is named and holds up nobody', async () => {
  const calm = await place.ask<TopDocument>('top', '--interval', '100ms');
  expect(calm.processes.map(({ process }) => process)).toEqual(['skb', 'core-0', 'core-1', 'core-2']);
  expect(calm.processes.every(({ sent_per_second: rate }) => rate !== null)).toBe(true);
  const flood = place.mkctl('bench', 'flood', '0', '1', '--count', '2000000');
  const busy = await until('the flood shows', async () => {
    const { processes } = await place.ask<TopDocument>('top', '--interval', '100ms');
    return (processes[1]!.sent_per_second ?? 0) > 1000 ? processes : null;
  });
  expect(busy[3]!.sent_per_second).toBeLessThan(busy[1]!.sent_per_second!);
  await flood;
  await place.mkctl('hang', '2');
  await until('a suspicion shows', async () => {
    const { processes } = await place.ask<TopDocument>('top', '--interval', '100ms');
    return processes[3]!.state === 'hung' && processes[1]!.suspects === 1;
  });
  expect((await place.mkctl('top', '--once', '--interval', '50ms')).stdout).toMatch(/^2 +hung$/m);
  await place.mkctl('heal');
});

/** mkctl on its own terminal (util-linux's script), and the terminal's settings afterwards. */
function onTerminal(...args: string[]): { readonly child: ChildProcess; readonly said: () => string } {
  const command = [
    'stty cols 120 rows 30;',
    process.execPath,
    builtProgram('mkctl.cjs'),
    ...args,
    '; echo "status $?"; stty -a',
  ];
  const child = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
    env: { ...process.env, MK_STATE_DIR: place.state, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  return { child, said: () => text };
}

test.each([
  ['q', 'q'],
  ['Ctrl-C', '\x03'],
])('top on a terminal: drawn in place, sorted by a key, left by %s as it was', async (_name, leave) => {
  const { child, said } = onTerminal('top', '--interval', '100ms');
  await until('the first screen', () => said().includes('mkctl top - mk') && said().includes('CORE▽'));
  child.stdin!.write('P');
  await until('it is sorted by CPU', () => said().includes('CPU%▽'));
  const pictures = (): number => said().split('\x1b[H').length;
  const before = pictures();
  await until('it is drawn again and again', () => pictures() > before + 2);
  child.stdin!.write(leave);
  await until('it has ended', () => /status \d+[^]*icanon/.test(said()));
  expect(said()).toContain('status 0');
  expect(said().lastIndexOf('\x1b[?1049l')).toBeGreaterThan(said().lastIndexOf('\x1b[?1049h'));
  expect(said()).toMatch(/\x1b\[\?25h/);
  expect(said().slice(said().indexOf('status 0'))).toMatch(/[^-]icanon[^]*[^-]echo\b/);
  child.kill();
});

const promtool = spawnSync('promtool', ['--version']).status === 0;
if (!promtool && process.env['MK_REQUIRE_PROMTOOL'] === '1') throw new Error('promtool is required and not here');

test('what every process measures of itself, by names that Prometheus’ own tool takes', async () => {
  await place.mkctl('link', '0', '1', '--loss', '100%');
  await place.mkctl('ping', '0', '2', '--count', '2');
  await until('frames are lost to the rule', async () =>
    /^mk_rule_frames_total\{[^}]*effect="dropped"[^}]*\} [1-9]/m.test((await place.mkctl('metrics')).stdout),
  );
  const { stdout: page } = await place.mkctl('metrics');
  await place.mkctl('heal');
  for (const name of [
    'mk_event_loop_lag_seconds_count',
    'mk_heap_bytes',
    'mk_build_info',
    'mk_link_silence_seconds',
    'mk_frames_shaped_total',
    'mk_channel_round_trip_seconds',
  ])
    for (const process of ['skb', 'core-0'])
      expect(page).toMatch(new RegExp(`^${name}\\{[^}]*process="${process}"`, 'm'));
  expect(page).toMatch(/^mk_ping_round_trip_seconds_count\{[^}]*process="core-0"[^}]*\} [2-9]/m);
  if (!promtool) return;
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  expect([stdout, stderr, status]).toEqual(['', '', 0]);
});

test('a trace of all processes: a track each, arrows from slice to slice, operations, faults, clocks side by side', async () => {
  const file = join(place.state, 'deep', 'trace.json');
  const tracing = place.start('mkctl.cjs', ['trace', '--for', '1m', '-o', file]);
  await until('it traces', () => tracing.stderr.includes('tracing'));
  await place.mkctl('bench', 'round', '--plan', 'multicast', '--phases', '2', '--count', '3');
  await place.mkctl('link', '0', '1', '--delay', '3ms');
  await place.mkctl('ping', '0', '1', '--count', '3');
  await place.mkctl('heal');
  tracing.child.kill('SIGINT');
  const { status, stdout, stderr } = await tracing.ended;
  expect([status, stderr]).toEqual([0, expect.not.stringContaining('did not fit')]);
  const within = Number(/^wrote .*: 4 processes, .* within (\d+) µs/.exec(stdout)?.[1]);
  const trace = parseChromeTrace(readFileSync(file, 'utf8'));
  expect(trace.faults).toEqual([]);
  expect([...trace.tracks.values()]).toEqual(['core 0', 'core 1', 'core 2', 'skb']);
  expect(trace.spans.filter(({ begin }) => begin.name.startsWith('multicast round, 2-phase 0.'))).toHaveLength(3);
  expect(trace.spans.some(({ begin }) => begin.name === 'ping')).toBe(true);
  expect(trace.marks.map(({ name }) => name)).toContainEqual(
    expect.stringMatching(/^fault_applied: .*delay_ns=3000000/),
  );
  const rounds = trace.flows.filter(({ start }) => start.name.startsWith('round_'));
  expect(rounds.length).toBeGreaterThanOrEqual(3 * 2 * 2 * (CORES - 1));
  for (const { start, finish } of rounds) {
    expect(sliceAt(trace.slices, start)).toBeDefined();
    expect(sliceAt(trace.slices, finish)?.name).toContain(start.name);
  }
  // Links take 1 ms each way, 3 ms with the rule; the median of the clocks' estimates is close.
  const took = trace.flows.map(({ start, finish }) => finish.ts - start.ts).sort((a, b) => a - b);
  expect(took[took.length >> 1]!).toBeGreaterThan(1000 - within);
});

test('a trace that is full says what it lost; one into a folder that cannot be is refused before it begins', async () => {
  const file = join(place.state, 'full.json');
  const tracing = place.start('mkctl.cjs', ['trace', '--for', '1m', '--buffer', '1000', '-o', file]);
  await until('it traces', () => tracing.stderr.includes('tracing'));
  await place.mkctl('bench', 'flood', '0', '1', '--count', '50000');
  tracing.child.kill('SIGINT');
  const { status, stderr } = await tracing.ended;
  expect([status, stderr]).toEqual([0, expect.stringMatching(/\d+ older events did not fit/m)]);
  expect(parseChromeTrace(readFileSync(file, 'utf8')).faults).toEqual([]);
  const refused = await place.mkctl('trace', '-o', '/proc/no/trace.json');
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('cannot be made')]);
  const folder = await place.mkctl('trace', '--for', '1d', '-o', place.state);
  expect([folder.status, folder.stderr]).toEqual([2, expect.stringContaining('cannot be written (EISDIR')]);
});
