import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { builtProgram } from './built-programs.ts';
import { ClusterPlace, until } from './running-cluster.ts';

/** What shows a running cluster to people: one cluster of three cores for all of it. */
const CORES = 3;
const place = new ClusterPlace();
beforeAll(async () => {
  await place.boot('--cores', String(CORES), '--latency', '1ms');
}, 300_000);
afterAll(() => place.cleanUp());

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
}, 120_000);

/** mkctl on a terminal of its own (util-linux's script), and what the terminal's settings are after it. */
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
])(
  'top on a terminal: drawn in place, sorted by a key, left by %s as it was',
  async (_name, leave) => {
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
  },
  60_000,
);

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
}, 60_000);
