import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseFaultPlan } from '@mk/machine/fault-plan';
import { parseHwloc } from '@mk/machine/hwloc';
import { parseMachineYaml } from '@mk/machine/yaml';
import type { Result } from '@mk/monitor-proto/result';
import { mutantTextsOf } from '../support/mutations.ts';

/** Files that people give us: what is wrong with one is said in a sentence, whatever it is, and nothing is thrown. */

const root = join(import.meta.dirname, '..', '..');
const textsIn = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'))
    .filter((text) => text.length < 30_000);

const KINDS: readonly [string, (text: string) => Result<unknown, string>, readonly string[]][] = [
  ['plans', parseFaultPlan, textsIn('examples', '.yaml')],
  ['descriptions of machines', parseMachineYaml, textsIn('packages/launcher/machines', '.yaml')],
  ['XML of hwloc', parseHwloc, textsIn('packages/machine/test/data', '.xml')],
];

test.each(KINDS)('%s', (_what, parse, texts) => {
  expect(texts.length).toBeGreaterThan(0);
  for (const text of texts.slice(0, 3)) expect(typeof parse(text).ok).toBe('boolean');
  fc.assert(
    fc.property(mutantTextsOf(texts), (text) => {
      const parsed = parse(text);
      if (parsed.ok) return;
      expect(parsed.error.length).toBeGreaterThan(0);
      expect(parsed.error.length).toBeLessThan(2_000);
      expect(parsed.error).not.toMatch(/Error:|undefined|\[object|at .*\.ts:/);
    }),
    { numRuns: 300 },
  );
});

/** Small files that are large once they are read. */
const BOMBS: readonly [string, (text: string) => Result<unknown, string>, string][] = [
  ...([parseFaultPlan, parseMachineYaml] as const).flatMap((parse): [string, typeof parse, string][] => [
    [
      `${parse.name}: references to references`,
      parse,
      ['a: &a0 [x, x]', ...Array.from({ length: 40 }, (_, i) => `a${i}: &a${i + 1} [*a${i}, *a${i}]`)].join('\n'),
    ],
    [`${parse.name}: lists in lists`, parse, '['.repeat(200_000)],
    [`${parse.name}: maps in maps`, parse, '{a: '.repeat(100_000)],
    [
      `${parse.name}: steps to the right`,
      parse,
      Array.from({ length: 3_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    ],
    [`${parse.name}: itself`, parse, '&a [*a]'],
    [`${parse.name}: a key of itself`, parse, '&a { *a : 1 }'],
  ]),
  [
    'parseHwloc: entities of entities',
    parseHwloc,
    `<?xml version="1.0"?><!DOCTYPE topology [<!ENTITY a "aaaaaaaaaa">${Array.from(
      { length: 20 },
      (_, i) => `<!ENTITY a${i} "${(i === 0 ? '&a;' : `&a${i - 1};`).repeat(10)}">`,
    ).join('')}]><topology version="2.0"><object type="Machine" name="&a19;"/></topology>`,
  ],
  ['parseHwloc: objects in objects', parseHwloc, `<topology version="2.0">${'<object type="Group">'.repeat(50_000)}`],
  [
    'parseHwloc: a set of very many cores',
    parseHwloc,
    `<topology version="2.0"><object type="Machine" cpuset="${'0xffffffff,'.repeat(50_000)}0x1"/></topology>`,
  ],
  [
    'parseHwloc: a core of a very high number',
    parseHwloc,
    '<topology version="2.0"><object type="Machine" cpuset="0x1"><object type="PU" os_index="4294967295" cpuset="0x1"/></object></topology>',
  ],
];

test.each(BOMBS)('%s', (_what, parse, text) => {
  const before = process.memoryUsage().rss;
  const startedAt = process.cpuUsage();
  expect(parse(text)).toMatchObject({ ok: false });
  const { user, system } = process.cpuUsage(startedAt);
  expect((user + system) / 1e6).toBeLessThan(20);
  expect(process.memoryUsage().rss - before).toBeLessThan(512 << 20);
});
