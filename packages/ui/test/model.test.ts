import { describe, expect, test } from '@jest/globals';
import { actionError, commandLine, coreSet } from '@mk/ui/model/actions';
import { linkState } from '@mk/ui/model/link-faults';
import { logFilter, NO_FILTER } from '@mk/ui/model/log-filter';
import { layoutOf } from '@mk/ui/model/machine-layout';
import { Operations } from '@mk/ui/model/operations';
import type { FaultView, LogLineView, PageEvent } from '@mk/ui/model/page-events';
import { KEPT, PageModel } from '@mk/ui/model/page-model';
import { percentile } from '@mk/ui/model/percentiles';
import { Pulse } from '@mk/ui/model/pulse';
import { parseRecording, Player, recordingOf } from '@mk/ui/model/recording';
import { spaceTimeOf } from '@mk/ui/model/space-time';

const line = (time: number, core: number, event: string, more: object = {}): LogLineView => ({
  time,
  level: 'debug',
  event,
  core,
  ...more,
});
const HELLO: PageEvent = {
  type: 'hello',
  t: 0,
  version: 1,
  cluster: 'c',
  mode: 'live',
  seed: '1',
  machine: '',
  supervised: true,
};

describe('actions as commands', () => {
  test('what is shown is what mkctl takes', () => {
    expect(commandLine({ verb: 'partition', args: { groups: ['0-3', 'rest'], for: '10s' } })).toBe(
      'mkctl partition 0-3 rest --for 10s',
    );
    expect(commandLine({ verb: 'link', args: { from: '3', to: '7', loss: '1%', 'one-way': true } })).toBe(
      'mkctl link 3 7 --loss 1% --one-way',
    );
    expect(commandLine({ verb: 'heal', args: { rule: "link:a b'c" } }, 'lab')).toBe(
      `mkctl heal --rule 'link:a b'\\''c' --cluster lab`,
    );
  });

  test('sets of cores are written as ranges', () => {
    expect(coreSet([5, 0, 1, 2, 2])).toBe('0-2,5');
    expect(coreSet([])).toBe('');
  });

  test('what is not an action is refused by name', () => {
    expect(actionError('heal', {})).toBeNull();
    expect(actionError('down', {})).toContain('no action is called down');
    expect(actionError('crash', { target: '1' })).toContain('target is unknown');
  });
});

test('faults make links what the worst rule makes them', () => {
  const fault = (rule: FaultView['rule']): FaultView => ({
    id: 'x',
    text: '',
    rule,
    process: null,
    frames: 0,
    dropped: 0,
    delayed: 0,
  });
  const base = { kind: 'link', id: 'x', for_ns: null, from: 'all', to: 'all', both: true } as const;
  const slow = fault({ ...base, settings: { delay_ns: 1e6 } });
  const lossy = fault({ ...base, settings: { loss: 0.1 } });
  const cut = fault({ kind: 'isolate', id: 'y', for_ns: null, cores: [2 as never] });
  expect(linkState([], 0, 1)).toBe('whole');
  expect(linkState([slow], 0, 1)).toBe('slow');
  expect(linkState([lossy, slow], 0, 1)).toBe('lossy');
  expect(linkState([slow, cut, lossy], 0, 2)).toBe('cut');
  expect(linkState([cut], 0, 1)).toBe('whole');
});

describe('the layout', () => {
  const machine = (count: number, perPackage: number) =>
    Array.from({ length: count }, (_, core) => ({ core, package: Math.floor(core / perPackage) }));

  test.each([1, 2, 8, 32, 33, 64, 256, 512])('%d cores: each has a place of its own within the drawing', (count) => {
    const { cores, coreSize } = layoutOf(machine(count, 4));
    expect(cores.map(({ core }) => core).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(cores.filter(({ x, y }) => !(x > 0 && x < 1 && y > 0 && y < 1))).toEqual([]);
    // Compared by hand: 130,000 expectations take 19 s.
    const close = cores.flatMap((a, i) =>
      cores.slice(i + 1).flatMap((b) => (Math.hypot(a.x - b.x, a.y - b.y) > coreSize * 0.99 ? [] : [[a, b]])),
    );
    expect(close).toEqual([]);
  });
});

describe('operations out of lines', () => {
  const revoke = (): Operations => {
    const operations = new Operations();
    const message = (core: number, event: string, peer: number, time: number, number: number): LogLineView =>
      line(time, core, event, { op: '0.1.7', peer, channel: 'a>b', lane: 0, number, message: 'revoke_mark' });
    const lines = [
      line(10, 0, 'cap_revoke_mark', { op: '0.1.7', capability: 'RAM', lamport: 1 }),
      message(0, 'message_sent', 1, 10, 1),
      message(0, 'message_sent', 2, 10, 2),
      message(1, 'message_delivered', 0, 14, 1),
      line(14, 1, 'cap_revoke_mark', { op: '0.1.7', lamport: 5 }),
      line(20, 1, 'cap_revoke_done', { op: '0.1.7', lamport: 9 }),
      line(21, 0, 'cap_operation', { op: '0.1.7', kind: 'revoke', elapsed_us: 11_000, result: 'ok' }),
    ];
    for (const one of lines) operations.take(one);
    return operations;
  };

  test('what the cores tell of one revoke comes together', () => {
    const operation = revoke().get('0.1.7')!;
    expect(operation).toMatchObject({ kind: 'revoke', capability: 'RAM', result: 'ok', elapsedUs: 11_000 });
    expect([...operation.stages]).toEqual([
      [0, 'mark'],
      [1, 'done'],
    ]);
  });

  test('its space-time diagram has an arrow for each message, and shows the one that did not come', () => {
    const picture = spaceTimeOf(revoke().get('0.1.7')!);
    expect(picture.cores).toEqual([0, 1, 2]);
    expect(picture.scale).toBe('time');
    expect(picture.arrows).toEqual([
      { from: 0, to: 1, sentAt: 0, deliveredAt: 4, message: 'revoke_mark' },
      { from: 0, to: 2, sentAt: 0, deliveredAt: null, message: 'revoke_mark' },
    ]);
    expect(spaceTimeOf(revoke().get('0.1.7')!, 'order').span).toBe(6);
  });

  test('only the last are kept, and of one only so many lines', () => {
    const operations = new Operations();
    for (let n = 0; n < 1000; n++) operations.take(line(n, 0, 'round_started', { op: `0.1.${n}` }));
    for (let n = 0; n < 5000; n++) operations.take(line(n, 0, 'message_sent', { op: '0.1.999' }));
    expect(operations.list()).toHaveLength(300);
    expect(operations.get('0.1.999')!.lines).toHaveLength(2000);
  });
});

describe('the model', () => {
  const counters = (t: number, sent: number): PageEvent => ({
    type: 'counters',
    t,
    cores: [
      { core: 0, sent, delivered: 0, framesSent: 0, framesReceived: 0, retransmits: 0, queued: 3, operations: 1 },
    ],
  });

  test('rates come of two counts; a core that restarts has no negative one', () => {
    const model = new PageModel();
    for (const event of [counters(1000, 10), counters(3000, 30)]) model.apply(event);
    expect(model.rates).toMatchObject([{ core: 0, sent: 10, queued: 3 }]);
    model.apply(counters(4000, 5));
    expect(model.rates).toMatchObject([{ core: 0, sent: 5 }]);
  });

  test('it knows the shortest and the longest round trip', () => {
    const model = new PageModel();
    model.apply({
      type: 'links',
      t: 1,
      trips: [
        [0, 1, 30, 40],
        [1, 0, 20, 25],
        [0, 2, 90, 95],
      ],
    });
    expect(model.tripRange).toEqual([20, 90]);
  });

  test('it holds no more after a hundred thousand events than it may', () => {
    const model = new PageModel();
    for (let i = 0; i < 100_000; i++)
      model.apply({
        type: 'log',
        t: i,
        lines: [line(i, 0, 'cap_operation', { op: `0.1.${i}`, elapsed_us: i })],
        lost: 0,
      });
    expect(model.log.length).toBe(KEPT.logLines);
    expect(model.latencies.length).toBe(KEPT.latencies);
    expect(model.log.toArray().at(-1)!.time).toBe(99_999);
    expect(model.log.lastThat(2, ({ time }) => time % 2 === 0).map(({ time }) => time)).toEqual([99_996, 99_998]);
  });
});

describe('a recording', () => {
  const events: readonly PageEvent[] = [
    { ...HELLO, t: 500 },
    { type: 'log', t: 100, lines: [line(100, 0, 'core_ready')], lost: 0 },
    { type: 'trouble', t: 300, text: 'no answer' },
    { type: 'trouble', t: 400, text: null },
  ];

  test('plays forwards, and backwards from its beginning', () => {
    const player = new Player(recordingOf(events));
    expect([player.recording.begin, player.recording.end]).toEqual([100, 400]);
    player.seek(350);
    expect([player.model.trouble, player.model.hello?.cluster, player.model.log.length]).toEqual(['no answer', 'c', 1]);
    player.seek(400);
    expect(player.model.trouble).toBeNull();
    expect(player.seek(99)).toBe(true);
    expect([player.model.trouble, player.model.log.length]).toEqual([null, 0]);
  });

  test('is read from NDJSON; what is none is said by line', () => {
    const text = events.map((event) => JSON.stringify(event)).join('\n');
    expect(parseRecording(text)).toMatchObject({ begin: 100, end: 400 });
    expect(parseRecording('')).toContain('empty');
    expect(parseRecording(`${text}\n{"type":"x","t":1}`)).toContain('line 5');
    expect(parseRecording(text.split('\n').slice(1).join('\n'))).toContain('hello');
    expect(parseRecording(JSON.stringify({ ...HELLO, version: 9 }))).toContain('version 9');
  });
});

test('percentiles are values that are there', () => {
  expect(percentile([], 0.5)).toBeNull();
  expect([0, 0.5, 0.99, 1].map((share) => percentile([3, 1, 2, 4], share))).toEqual([1, 2, 4, 4]);
});

test('log filters are those of mkctl logs', () => {
  const lines = [
    line(1, 3, 'cap_operation', { level: 'info', op: '3.1.4' }),
    { ...line(2, 0, 'link_opened'), core: 'skb' as const },
    line(3, 7, 'cap_revoke_mark', { op: '3.1.4' }),
  ];
  const pass = (filter: object): number[] =>
    lines.filter(logFilter({ ...NO_FILTER, ...filter })).map(({ time }) => time);
  expect(pass({})).toEqual([1, 2, 3]);
  expect(pass({ core: 'skb,5-7' })).toEqual([2, 3]);
  expect(pass({ event: 'cap_*' })).toEqual([1, 3]);
  expect(pass({ level: 'info' })).toEqual([1]);
  expect(pass({ op: '3.1.4', core: '7' })).toEqual([3]);
  expect(pass({ text: 'link_' })).toEqual([2]);
});

test('a server that says nothing is not live, after a while gone; its clock is the least late that was heard', () => {
  const pulse = new Pulse(1000);
  expect([1000, 7999, 8000, 20_999, 21_000].map((now) => pulse.state(now))).toEqual([
    'live',
    'live',
    'silent',
    'silent',
    'gone',
  ]);
  pulse.heard(30_000);
  expect([pulse.state(36_999), pulse.state(37_000), pulse.aheadMs]).toEqual(['live', 'silent', -Infinity]);
  pulse.heard(31_000, 91_000);
  pulse.heard(32_000, 90_000);
  expect(pulse.aheadMs).toBe(60_000);
  // The host's clock is set back by an hour.
  for (let beat = 1; beat <= 30; beat++) pulse.heard(32_000 + 2000 * beat, 92_000 + 2000 * beat - 3_600_000);
  expect(pulse.aheadMs).toBe(60_000 - 3_600_000);
});

describe('recordings that are not whole', () => {
  const whole = [HELLO, { type: 'log', t: 5, lines: [line(5, 0, 'core_ready')], lost: 0 }];
  const text = whole.map((event) => `${JSON.stringify(event)}\n`).join('');

  test('one that was cut off anywhere shows what is before', () => {
    const helloBytes = JSON.stringify(HELLO).length;
    for (let bytes = helloBytes; bytes <= text.length; bytes++) {
      const recording = parseRecording(text.slice(0, bytes));
      if (typeof recording === 'string') throw new Error(`cut after ${bytes}: ${recording}`);
      expect(recording.events).toHaveLength(bytes >= text.length - 1 ? 2 : 1);
      expect(recording.isCutOff).toBe(bytes > helloBytes + 1 && bytes < text.length - 1);
    }
    expect(typeof parseRecording(text.slice(0, helloBytes - 1))).toBe('string');
  });

  test.each([
    [
      'in the middle',
      `${JSON.stringify(HELLO)}\n{"type":"lo\n${JSON.stringify(whole[1])}\n`,
      /^line 2 is not an event/,
    ],
    ['fields of no event', `${text}{"type":"log","t":7}\n`, /^line 3 is damaged/],
    ['a time of no clock', `${text}{"type":"log","t":1e999,"lines":[],"lost":0}\n`, /^line 3 is not an event/],
    ['bytes', '\u0000\u0001\uFFFD\n', /^line 1 is not an event/],
  ])('garbage is refused with its line: %s', (_what, garbage, wanted) => {
    expect(parseRecording(garbage)).toMatch(wanted);
  });
});
