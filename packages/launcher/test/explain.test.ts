import { expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { csvOf, heatText } from '../src/client/latency-heat.ts';
import { Gathering } from '../src/explain/gathering.ts';
import { storySvg, storyText } from '../src/explain/picture.ts';
import type { Story } from '../src/explain/story.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A round of core 0 over 1 and 2: the message to 2 takes 40 ms, 1 works for 20 ms, and the request to 3 is lost. */
const line = (core: number | string, time: number, lamport: number, event: string, fields: Fields): Fields => ({
  v: 1,
  time,
  level: 'debug',
  event,
  core,
  incarnation: 1,
  seq: lamport,
  lamport,
  ...fields,
});
const sent = (core: number, peer: number, time: number, lamport: number, message: string): Fields =>
  line(core, time, lamport, 'message_sent', {
    op: '0.1.7',
    peer,
    channel: `${core}>${peer}`,
    message,
    lane: 0,
    number: 1,
  });
const came = (core: number, peer: number, time: number, lamport: number, message: string): Fields =>
  line(core, time, lamport, 'message_delivered', {
    op: '0.1.7',
    peer,
    channel: `${peer}>${core}`,
    message,
    lane: 0,
    number: 1,
  });
const ALL: readonly Fields[] = [
  line('launcher', 900, 0, 'fault_applied', { rule: 'slow', text: '0 -> 2 delay 40 ms' }),
  line('launcher', 10, 0, 'fault_applied', { rule: 'old', text: 'over before' }),
  line('launcher', 20, 0, 'fault_healed', { rule: 'old', affected: 0 }),
  line(3, 990, 1, 'message_sent', { peer: 0, channel: '3>0', message: 'ack', lane: 0, number: 1 }),
  line(0, 1000, 1, 'round_started', { op: '0.1.7', plan: 'unicast', phases: 1, cores: 4 }),
  sent(0, 1, 1000, 2, 'round_request'),
  sent(0, 2, 1000, 3, 'round_request'),
  sent(0, 3, 1000, 4, 'round_request'),
  came(1, 0, 1001, 5, 'round_request'),
  sent(1, 0, 1021, 6, 'round_reply'),
  came(0, 1, 1022, 7, 'round_reply'),
  came(2, 0, 1040, 6, 'round_request'),
  sent(2, 0, 1040, 7, 'round_reply'),
  came(0, 2, 1041, 8, 'round_reply'),
  line(0, 6000, 9, 'operation_unanswered', {
    op: '0.1.7',
    kind: 'round',
    silent: [3],
    elapsed_us: 5_000_000,
    result: 'OPERATION_TIMEOUT',
  }),
  sent(5, 6, 1000, 2, 'elsewhere'),
];
const LINES: readonly Fields[] = ALL.map((each) => (each['core'] === 5 ? { ...each, op: '5.1.1' } : each));

function storyOf(op: string, lines: readonly Fields[] = LINES): Story | null {
  const gathering = new Gathering(op);
  for (const each of lines) gathering.take(JSON.stringify(each));
  return gathering.story(null);
}

test('the story of one operation: who took part, what was lost, what was slow, which fault was in force', () => {
  const story = storyOf('0.1.7')!;
  expect(story).toMatchObject({
    who: ['core 0', 'core 1', 'core 2', 'core 3'],
    result: 'OPERATION_TIMEOUT',
    elapsedUs: 5_000_000,
    faults: ['0 -> 2 delay 40 ms'],
  });
  expect(story.said).toHaveLength(5);
  expect(story.slow.slice(0, 3)).toEqual([
    { ms: Infinity, text: 'round_request from core 0 never reached core 3' },
    { ms: 40, text: 'round_request on its way from core 0 to core 2' },
    { ms: 20, text: 'core 1 before it answered round_request' },
  ]);
  expect(storyOf('9.9.9')).toBeNull();
});

test('of a receiver whose log begins later, or is not there, nobody knows what reached it', () => {
  const isRequestTo2 = ({ core, event }: Fields): boolean => core === 2 && event === 'message_delivered';
  const story = storyOf(
    '0.1.7',
    LINES.filter((each) => each['core'] !== 3 && !isRequestTo2(each)),
  )!;
  expect(story.slow.filter(({ ms }) => ms === Infinity)).toEqual([]);
  const text = storyText(story, 160);
  expect(text).toMatch(/\*─+round_request─+\?/);
  expect(text).toContain('the receiver’s log does not tell');
});

test('on a terminal: causes above effects, arrows between columns; narrow ones get a list', () => {
  const story = storyOf('0.1.7')!;
  const wide = storyText(story, 120).split('\n');
  expect(wide[0]).toBe('operation 0.1.7: OPERATION_TIMEOUT after 5000.00 ms');
  expect(wide.find((row) => row.includes('✗'))).toMatch(/\*─+round_request─+✗ +never arrived/);
  expect(wide.findIndex((row) => row.includes('◀'))).toBeGreaterThan(wide.findIndex((row) => row.includes('▶')));
  expect(Math.max(...wide.filter((row) => /[▶◀]/.test(row)).map((row) => row.length))).toBeLessThanOrEqual(120);
  expect(storyText(story, 40)).toContain('core 0 → core 3  round_request  never arrived');
});

test('as a picture: every message, the lost one apart, the fault, a legend', () => {
  const svg = storySvg(storyOf('0.1.7')!);
  expect(svg.match(/class="message"/g)).toHaveLength(4);
  expect(svg.match(/class="lost"/g)).toHaveLength(1);
  expect(svg).toContain('meanwhile: 0 -&gt; 2 delay 40 ms');
  expect(svg).toMatch(/Time to scale\.|Not to scale/);
  expect(svg).toContain('class="legend"');
});

const ROWS = [
  { from: 0, to: 1, min: 100_000, average: 150_000, max: 300_000, variance: 4 },
  { from: 1, to: 0, min: 10_000_000, average: 10_000_000, max: 10_000_000, variance: 0 },
];

test('round trips as CSV and in shades', () => {
  expect(csvOf(ROWS).split('\n')).toEqual([
    'from,to,min_ns,average_ns,max_ns,variance_ns2',
    '0,1,100000,150000,300000,4',
    '1,0,10000000,10000000,10000000,0',
  ]);
  const plain = heatText(ROWS, { interactive: false, colour: picocolors.createColors(false) });
  expect(plain).toContain('0   ··\n1 ██');
  expect(plain).toContain('·· from 100 µs');
  const coloured = heatText(ROWS, { interactive: true, colour: picocolors.createColors(true) });
  expect(coloured).toContain('\x1b[48;5;160m  \x1b[0m');
});
