import { expect, jest, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { markDashedWords, unmarkDashedWords } from '../src/cli/dashed-words.ts';
import { report, runCli } from '../src/cli/run-cli.ts';
import { coreList, durationMs, wholeNumber } from '../src/cli/values.ts';
import { UsageError } from '../src/cli/usage-error.ts';
import { VERSION } from '@mk/monitor-proto/version';
import { mkctl } from '../src/ctl/command.ts';
import { linkRule, partitionRule } from '../src/ctl/faults.ts';
import { filterOf } from '../src/ctl/logs.ts';
import { matrixText, packageMatrixText } from '../src/client/latency-matrix.ts';
import { parseLine } from '../src/display/log-printer.ts';

test('the version is the package’s', () => {
  const file = fileURLToPath(new URL('../package.json', import.meta.url));
  expect((JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version).toBe(VERSION);
});

test('values are read strictly', () => {
  expect(coreList('--core', '7,0-2,1')).toEqual([0, 1, 2, 7]);
  expect(durationMs('--for', '1.5s')).toBe(1500);
  expect(wholeNumber('--cores', '32', 1, 64)).toBe(32);
  for (const wrong of [
    () => wholeNumber('--cores', '3.5', 1, 64),
    () => wholeNumber('--cores', '0x4', 1, 64),
    () => wholeNumber('--cores', '65', 1, 64),
    () => durationMs('--for', '0'),
    () => coreList('c', '3-1'),
  ]) {
    expect(wrong).toThrow(UsageError);
  }
});

test('link makes a rule that is named after its ends and its settings', () => {
  expect(linkRule({ from: '3', to: '7', delay: '20ms', loss: '1%' })).toEqual({
    kind: 'link',
    id: 'link:3-7:delay+loss',
    for_ns: null,
    from: [3],
    to: [7],
    both: true,
    settings: { delay_ns: 20e6, loss: 0.01, burst: null },
  });
  expect(linkRule({ from: 'all', to: '0-1', 'one-way': true, reset: '5s', for: '2s' })).toMatchObject({
    id: 'link:all-to-0-1:reset',
    for_ns: 2e9,
    from: 'all',
    to: [0, 1],
    both: false,
    settings: { reset_after_ns: 5e9 },
  });
});

test.each([
  [{ from: '3', to: '3', delay: '1ms' }, 'two different cores'],
  [{ from: '3', to: '4' }, 'say what to change'],
  [{ from: '3', to: '4', delay: '20' }, 'no unit'],
  [{ from: '3', to: '4', loss: '200%' }, 'more than 100%'],
  [{ from: '3', to: '4', limit: 'x' }, '--limit must be a whole number'],
  [{ from: '3', to: '4', limit: '0x10' }, '--limit must be a whole number'],
  [{ from: '3', to: 'x', delay: '1ms' }, 'not a core'],
  [{ from: '3', to: '4', delay: '1ms', for: '0' }, '--for'],
])('link refuses %j', (args, text) => {
  expect(() => linkRule(args)).toThrow(text);
});

test('partition takes lists of cores and the rest', () => {
  expect(partitionRule({ groups: ['0-2', 'rest'] })).toMatchObject({ groups: [[0, 1, 2], 'rest'], one_way: false });
  for (const groups of [['0-3'], ['0-3', '3'], ['rest', 'rest'], ['0', 'x']])
    expect(() => partitionRule({ groups })).toThrow(UsageError);
});

test('the matrix shows the shortest round trips, in one unit', () => {
  const rows = [
    { from: 0, to: 1, min: 2_500_000 },
    { from: 1, to: 0, min: 12_340_000 },
  ].map((row) => ({ ...row, average: 0, variance: 0, max: 0 }));
  expect(matrixText(rows)).toBe(['ms     0     1', ' 0     ·  2.50', ' 1  12.3     ·'].join('\n'));
  const four = [
    [0, 1, 100],
    [1, 0, 120],
    [0, 2, 400],
    [2, 0, 480],
  ].map(([from, to, ns]) => ({ from: from!, to: to!, min: ns! * 1000, average: 0, variance: 0, max: 0 }));
  expect(packageMatrixText(four, (core) => core >> 1)).toBe(
    ['µs    0    1', ' 0  100  400', ' 1  480    ·'].join('\n'),
  );
});

test('logs are filtered by core, event, level and operation', () => {
  const line = parseLine('{"level":"warn","time":1,"event":"link_refused","core":3,"op":"3.1.42"}')!;
  const passes = (args: object): boolean => filterOf(args as never)(line);
  expect(
    [
      {},
      { core: '0,3-4' },
      { event: 'link_*' },
      { level: 'warn' },
      { op: '3.1.42' },
      { core: '3,skb', event: '*' },
    ].map(passes),
  ).toEqual([true, true, true, true, true, true]);
  expect([{ core: 'skb' }, { event: 'round_*' }, { level: 'error' }, { op: '3.1.43' }].map(passes)).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect(() => filterOf({ event: 'link_opend' })).toThrow('link_opened');
  expect(() => filterOf({ op: 'x' })).toThrow(UsageError);
});

test('mistakes are one line on stderr and exit status 2', async () => {
  const said: string[] = [];
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = ((text: string) => said.push(text) > 0) as never;
  const run = (...argv: string[]): Promise<number> =>
    runCli(
      'demo',
      (cli) =>
        cli
          .option('cores', { type: 'string', requiresArg: true })
          .option('force', { type: 'boolean', alias: 'f' })
          .option('shape', { type: 'string', choices: ['round', 'flat'] })
          .command('ring', 'r', {}, () => {
            throw new UsageError('no ring');
          })
          .command('$0', 'd', {}, () => undefined) as never,
      argv,
    );
  try {
    for (const argv of [['--cores', '4'], ['--force=true'], ['--force=false']]) expect(await run(...argv)).toBe(0);
    for (const argv of [
      ['--coers', '4'],
      ['--cores'],
      ['--cores', '1', '--cores', '2'],
      ['ring'],
      ['--cores', '4', 'what'],
      ['--force=yes'],
      ['--force='],
      ['-f=yes'],
      ['-h=1'],
      ['--shape', 'square'],
    ])
      expect([argv, await run(...argv)]).toEqual([argv, 2]);
  } finally {
    process.stderr.write = write;
  }
  expect(said).toEqual([
    'demo: unknown option --coers (did you mean --cores?); see --help\n',
    'demo: --cores needs a value; see --help\n',
    'demo: --cores is given 2 times; give it once\n',
    'demo: no ring\n',
    'demo: unknown argument what; see --help\n',
    'demo: --force takes no value; give it or leave it out\n',
    'demo: --force takes no value; give it or leave it out\n',
    'demo: -f takes no value; give it or leave it out\n',
    'demo: -h takes no value; give it or leave it out\n',
    'demo: --shape must be one of round, flat, not "square"\n',
  ]);
});

test.each([
  [
    ['skb', '-1 < 0'],
    ['skb', '-1 < 0'],
  ],
  [
    ['skb', '-X = 3', '--limit', '2'],
    ['skb', '-X = 3', '--limit', '2'],
  ],
  [
    ['oct', 'set', '--', '--name { a: 1 }', '-x'],
    ['oct', 'set', '--name { a: 1 }', '-x'],
  ],
  [
    ['logs', '-f', '--core', '3'],
    ['logs', '-f', '--core', '3'],
  ],
])('%j: words that begin with a dash and are not options come through whole', (argv, wanted) => {
  const marked = markDashedWords(argv);
  const dashed = marked.filter((word) => word.startsWith('-'));
  expect(dashed.every((word) => /^--?[a-z]+$/.test(word))).toBe(true);
  const args = { words: marked, first: marked[1] };
  unmarkDashedWords(args);
  expect(args).toEqual({ words: wanted, first: wanted[1] });
});

test('what the file system refuses is one line without a stack; a bug of ours is not', () => {
  const said: string[] = [];
  const { write } = process.stderr;
  const heard = (act: () => unknown): void => {
    process.stderr.write = ((text: string) => said.push(text) > 0) as typeof write;
    try {
      act();
    } catch (error) {
      report('mkctl', error);
    } finally {
      process.stderr.write = write;
    }
  };
  heard(() => readFileSync('/dev/null/nothing'));
  heard(() => JSON.parse('{'));
  expect(said).toEqual([
    "mkctl: ENOTDIR: not a directory, open '/dev/null/nothing'\n",
    expect.stringMatching(/^mkctl: internal error \(please report it\): SyntaxError.*\n {4}at /),
  ]);
});

test.each([
  [['ui', '--replay', 'a.ndjson', '--for', '3s'], '--for goes with --record'],
  [['ui', '--replay', 'a.ndjson', '--cluster', 'mk'], '--cluster has no effect with --replay'],
  [['ui', '--token', '--port', '7070'], '--port has no effect with --token'],
  [['links', '--csv', '--json'], '--json has no effect with --csv'],
  [['links', '--open', '--heat'], '--heat has no effect with --open'],
  [['skb', 'true', '--form', 'dot'], '--form goes with --tree'],
  [['skb', '--file', 'a.pl', '--limit', '3'], '--limit has no effect with --file'],
  [['rogue', '3', '--off', '--for', '3s'], '--for has no effect with --off'],
  [['run', '--list', '--cores', '3'], '--cores has no effect with --list'],
  [['explain', '0.1.1', '--logs', 'runs/a', '--cluster', 'mk'], '--cluster has no effect with --logs'],
  [['chaos', '--cores', '3'], '--cores goes with --print'],
  [['ps', '--tls-ca', 'ca.pem'], '--tls-ca goes with --skb'],
] as const)('mkctl refuses what it would ignore: %j', async (argv, text) => {
  const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const status = await mkctl(argv);
  const [[first] = []] = said.mock.calls;
  said.mockRestore();
  expect([status, first]).toEqual([2, expect.stringContaining(text)]);
});
