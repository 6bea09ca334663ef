import { describe, expect, test } from '@jest/globals';

/** The style check is plain JavaScript, so its types are declared here. */
interface StyleCheck {
  readonly MAX_FILE_LINES: number;
  readonly MAX_FUNCTION_LINES: number;
  breachesOf(path: string, text: string): [line: number, text: string][];
  lockBreaches(lock: unknown): [line: number, text: string][];
}

const script = new URL('../../scripts/check-style.mjs', import.meta.url).href;
const { breachesOf, lockBreaches, MAX_FILE_LINES, MAX_FUNCTION_LINES } = (await import(script)) as StyleCheck;
const pure = 'packages/skb/src/topology/plans.ts';

describe('the style check finds', () => {
  test.each([
    ['a clock in pure code', 'const t = Date.now();'],
    ['a clock under its own name', 'const t = performance.now();'],
    ['entropy', 'const r = Math.random();'],
    ['a timer', 'setTimeout(() => undefined, 1);'],
    ['the environment', 'const level = process.env.LEVEL;'],
    ['an enum', 'enum Colour { red }'],
    ['a private field in the other dialect', 'class A {\n  #x = 1;\n}'],
    ['a header after the imports', "import { a } from './a.ts';\n\n/*\n * What it promises.\n */\n\na();\n"],
    ['a default export', 'export default function f() {}'],
    ['a path of one machine', `// see /${'home'}/me/notes`],
    ['a URL’s pathname as a path', `const root = new URL('..', ${'import'}.meta.url).${'pathname'};`],
    ['a mkdir that spins below /proc', `mkdirSync(folder, { ${'recursive'}: true });`],
    ['a function of a line too many', `function f(): void {\n${'  g();\n'.repeat(MAX_FUNCTION_LINES - 1)}}`],
    ['a file of a line too many', '// x\n'.repeat(MAX_FILE_LINES + 1)],
  ])('%s', (_what, text) => {
    expect(breachesOf(pure, text)).toHaveLength(1);
  });

  test.each([
    "test('x', () => undefined, 60_000);",
    "test.each([1])('%d', () => undefined, 300_000);",
    'beforeAll(() => undefined, 1e4);',
  ])('a time limit that a slow host breaks: %s', (text) => {
    expect(breachesOf('test/memory/litmus.test.ts', text)).toHaveLength(1);
    expect(breachesOf('test/memory/litmus.test.ts', text.replace(/, [\w]+\);$/, ', 900_000);'))).toEqual([]);
  });

  test.each([
    'setTimeout(call, waitMs);',
    'setTimeout(call, 2 * this.retryMs);',
    'setInterval(call, Math.max(PAUSE_MS, everyMs));',
    'const startedAt = Date.now();',
    'if (Date.now() - flushedMs > BATCH_MS) flush();',
    'this.readyAt = Date.now();',
    'const now = (): number => Date.now();',
  ])('a wait of any length, or the date as a clock: %s', (text) => {
    for (const path of [
      'packages/skb/src/io/skb-process.ts',
      'packages/launcher/src/ctl/top.ts',
      'packages/ui/src/page/session.ts',
    ])
      expect(breachesOf(path, text)).toHaveLength(1);
  });

  test('a limit without its reason', () => {
    const text = 'export const LIMITS = {\n  /** Why. */\n  a: 1,\n\n  b: 2,\n  c: { value: 3, reason: "why" },\n};';
    expect(breachesOf('packages/skb/src/limits.ts', text)).toEqual([[5, 'limit b without a reason']]);
  });

  test('a name that says nothing', () => {
    expect(breachesOf('packages/skb/src/utils.ts', '')).toHaveLength(1);
  });

  test('a lock that one platform made', () => {
    const lock = {
      packages: {
        'node_modules/a': { optionalDependencies: { 'a-linux': '1.0.0', 'a-darwin': '1.0.0' } },
        'node_modules/a-linux': {},
      },
    };
    expect(lockBreaches(lock)).toEqual([[1, expect.stringContaining('a-darwin')]]);
  });
});

describe('the style check lets pass', () => {
  test.each([
    [
      'the same names as members, parameters and fields',
      'interface Row { process: string }\nfunction f(process: Row): string {\n  return process.process;\n}',
    ],
    ['a variable of that name', 'for (const process of [1]) use(process);'],
    ['a function of 60 lines', `function f(): void {\n${'  g();\n'.repeat(58)}}`],
  ])('%s', (_what, text) => {
    expect(breachesOf(pure, text)).toEqual([]);
  });

  test.each([
    'packages/skb/src/io/skb-process.ts',
    'packages/skb/src/main.ts',
    'packages/launcher/src/cli/terminal.ts',
    'scripts/build.mjs',
  ])('a clock in %s', (path) => {
    expect(breachesOf(path, 'const t = performance.now();')).toEqual([]);
  });

  test.each([
    'setTimeout(() => undefined, 50);',
    'setTimeout(call, RETRY_MS.first);',
    'setTimeout(call, Math.min(LONGEST_TIMEOUT_MS, leftMs));',
    'setTimeout(call, leaves ? LEAVE_MS : 2 * STOP_MS);',
    'setInterval(call, LOOK_MS / 2);',
    'setTimeout(call);',
    'say({ time: Date.now() });',
    'const now = new Date().getTime();',
  ])('bounded waits, and dates as stamps: %s', (text) => {
    expect(breachesOf('packages/skb/src/io/skb-process.ts', text)).toEqual([]);
  });
});
