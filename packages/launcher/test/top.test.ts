import { expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { figuresOf } from '../src/top/figures.ts';
import { rowOf, type TopRow } from '../src/top/rows.ts';
import { plainText, screenOf } from '../src/top/screen.ts';
import { arranged, FIRST_VIEW, pressed, type TopView } from '../src/top/view.ts';

const page = (cpu: number, sent: number, run: number): string =>
  [
    `mk_cpu_seconds_total{core="1",mode="user"} ${cpu}`,
    `mk_cpu_seconds_total{core="1",mode="system"} ${cpu}`,
    `mk_messages_sent_total{core="1",message="a",lane="0"} ${sent}`,
    `mk_messages_sent_total{core="1",message="b",lane="0"} ${sent}`,
    'mk_queue_messages{core="1",peer="0"} 3',
    'mk_queue_messages{core="1",peer="skb"} 1',
    'mk_link_silence_seconds{core="1",peer="0"} 2.5',
    'mk_link_silence_seconds{core="1",peer="skb"} 0.5',
    'mk_link_silence_seconds{core="1",peer="client-0"} 99',
    'mk_peers_suspected{core="1"} 1',
    'mk_resident_memory_bytes{core="1"} 50000000',
    `mk_event_loop_lag_seconds_bucket{core="1",le="0.001"} ${sent}`,
    `mk_event_loop_lag_seconds_bucket{core="1",le="0.5"} ${sent + 5}`,
    `mk_event_loop_lag_seconds_bucket{core="1",le="+Inf"} ${sent + 5}`,
    `mk_dispatcher_run_seconds_total{core="1",domain="7",dispatcher="4",program="primes"} ${run}`,
  ].join('\n');

const looked = (core: number, state = 'running'): TopRow =>
  rowOf({
    process: `core-${core}`,
    state,
    before: figuresOf(page(1, 10, 0), 1000),
    now: state === 'running' ? figuresOf(page(1.25, 10 + 50 * core, 1), 3000) : null,
  });

test('rates are what has happened between two looks, for each dispatcher, too', () => {
  const row = looked(1);
  expect(row).toMatchObject({
    core: 1,
    cpuRatio: 0.25,
    sentPerSecond: 50,
    queued: 4,
    suspects: 1,
    silentPeer: '0',
    silentSeconds: 2.5,
    runRatio: 0.5,
  });
  expect(row.lagP99Seconds).toBe(0.001);
  expect(row.dispatchers).toEqual([{ domain: '7', dispatcher: '4', program: 'primes', runSeconds: 1, runRatio: 0.5 }]);
});

test('a process that was restarted has no rates at its first look', () => {
  const before = figuresOf(page(9, 1000, 5), 1000);
  const row = rowOf({ process: 'core-1', state: 'running', before, now: figuresOf(page(0.1, 5, 0), 2000) });
  expect(row).toMatchObject({ cpuRatio: null, sentPerSecond: null, queued: 4 });
});

const ROWS = [looked(2), looked(0), looked(1, 'hung')];
const order = (view: TopView): (number | null)[] => arranged(ROWS, view).map(({ core }) => core);

test('keys sort as in htop: the same key again the other way round; what is not known is the least', () => {
  expect(order(FIRST_VIEW)).toEqual([0, 1, 2]);
  expect(order(pressed(FIRST_VIEW, 'N'))).toEqual([2, 1, 0]);
  const bySent = pressed(FIRST_VIEW, '>>>>>');
  expect(bySent.sort).toBe('out');
  expect(order(bySent)).toEqual([2, 0, 1]);
  expect(order(pressed(bySent, 'I'))).toEqual([1, 0, 2]);
  expect(pressed(pressed(FIRST_VIEW, 'P'), 'PP')).toMatchObject({ sort: 'cpu', inverted: false });
});

test('a filter is typed, corrected, kept and dropped; q is a letter of it meanwhile', () => {
  const typing = pressed(FIRST_VIEW, '/qhu\x7f\x7f\x7fhung');
  expect(typing).toMatchObject({ typing: true, filter: 'hung', done: false });
  const kept = pressed(typing, '\r');
  expect([kept.typing, order(kept)]).toEqual([false, [1]]);
  expect(order(pressed(kept, '\x1b'))).toHaveLength(3);
});

test.each(['q', '\x03', '\x1b[21~', '/abc\x03'])('%j quits', (keys) => {
  expect(pressed(FIRST_VIEW, keys).done).toBe(true);
});

test.each([
  [80, 24],
  [40, 10],
  [200, 8],
])('a screen of %d × %d is filled and not overrun', (columns, lines) => {
  const rows = Array.from({ length: 64 }, (_, core) => looked(core));
  const summary = { cluster: 'mk', intervalMs: 1000, faults: 2, rows };
  const plain = picocolors.createColors(false);
  for (const view of [
    FIRST_VIEW,
    pressed(FIRST_VIEW, 'h'),
    pressed(FIRST_VIEW, 't'),
    pressed(FIRST_VIEW, '\x1b[6~\x1b[6~'),
  ]) {
    const screen = screenOf(summary, view, { columns, lines }, plain);
    expect(screen.length).toBeLessThanOrEqual(lines);
    expect(Math.max(...screen.map((line) => line.length))).toBeLessThanOrEqual(columns);
  }
  const far = screenOf(summary, pressed(FIRST_VIEW, '\x1b[6~'.repeat(9)), { columns, lines }, plain).join('\n');
  expect(far).toMatch(/^63 /m);
});

test.each([
  [10, 3],
  [1, 1],
])('a screen of %d × %d, on which nothing fits, is not overrun', (columns, lines) => {
  const summary = { cluster: 'mk', intervalMs: 1000, faults: 0, rows: ROWS };
  const screen = screenOf(summary, FIRST_VIEW, { columns, lines }, picocolors.createColors(false));
  expect(screen.map((line) => line.length > columns)).toEqual(Array(lines).fill(false));
});

test('the plain table has a head and a line a process; with the tree its dispatchers', () => {
  const text = plainText({ cluster: 'mk', intervalMs: 1000, faults: 0, rows: ROWS }, pressed(FIRST_VIEW, 't'));
  expect(text).toContain('2 of 3 cores running');
  expect(text).toMatch(/^1 +hung$/m);
  expect(text.match(/└─ primes \(domain 7, dispatcher 4\)/g)).toHaveLength(2);
});
