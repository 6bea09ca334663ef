import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';

/** Applies docs/guides/add-a-service.md to a copy of the packages, as a reader would to the project. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const guide = readFileSync(join(root, 'docs/guides/add-a-service.md'), 'utf8');

/** A fenced block of the guide: its language and stated place, and its text without the list's indentation. */
interface Block {
  readonly info: string;
  readonly text: string;
}

const blocks: readonly Block[] = [...guide.matchAll(/^( *)```(\w+ [^\n]*)\n([\s\S]*?)^\1```$/gm)].map(
  ([, indent = '', info = '', text = '']) => ({ info, text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), '') }),
);
const attribute = (info: string, name: string): string | undefined => new RegExp(`${name}="([^"]*)"`).exec(info)?.[1];
const blockOf = (name: string): string => blocks.find(({ info }) => info.endsWith(` ${name}`))?.text ?? '';

let copy = '';
const changed = new Set<string>();

beforeAll(() => {
  // Inside the project, so that the packages' imports resolve upwards; ignored by git, like all of node_modules.
  copy = mkdtempSync(join(root, 'node_modules', '.mk-guide-'));
  for (const name of readdirSync(join(root, 'packages'))) {
    const from = join(root, 'packages', name);
    mkdirSync(join(copy, 'packages', name), { recursive: true });
    cpSync(join(from, 'src'), join(copy, 'packages', name, 'src'), { recursive: true });
    cpSync(join(from, 'package.json'), join(copy, 'packages', name, 'package.json'));
  }
  mkdirSync(join(copy, 'node_modules', '@mk'), { recursive: true });
  for (const name of readdirSync(join(copy, 'packages')))
    symlinkSync(join(copy, 'packages', name), join(copy, 'node_modules', '@mk', name));
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: object;
  };
  const config = {
    compilerOptions: { ...compilerOptions, incremental: false, tsBuildInfoFile: undefined },
    include: ['packages/node-kernel/src', 'packages/sim/src/engine', 'packages/sim/src/checkers'],
  };
  writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config));
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Does what a block says; returns the file it changed. */
function apply({ info, text }: Block): string | undefined {
  const whole = attribute(info, 'file');
  const into = attribute(info, 'into');
  if (whole !== undefined) {
    mkdirSync(dirname(join(copy, whole)), { recursive: true });
    writeFileSync(join(copy, whole), text);
  } else if (into !== undefined) {
    const before = attribute(info, 'before') ?? '';
    const source = readFileSync(join(copy, into), 'utf8');
    const at = source.indexOf(`\n${before}`) + 1;
    if (at === 0 || source.indexOf(`\n${before}`, at) >= 0)
      throw new Error(`${into} has not one line that begins ${before}`);
    writeFileSync(join(copy, into), source.slice(0, at) + text + source.slice(at));
  }
  return whole ?? into;
}

function types(): string {
  const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', copy], {
    cwd: copy,
    encoding: 'utf8',
  });
  return stdout;
}

describe('the guide that adds a service', () => {
  test('its messages alone do not compile: the list says what nobody brings', () => {
    for (const block of blocks.filter(({ info }) => info.includes('messages/'))) changed.add(apply(block) ?? '');
    const errors = types();
    for (const name of ['greet_request', 'greet_reply']) expect(errors).toContain(`no service brings ${name}`);
  });

  test('done to its end it compiles, in one new folder, a line of the list and the tables', () => {
    for (const block of blocks.filter(({ info }) => !info.includes('messages/'))) changed.add(apply(block) ?? '');
    expect(types()).toBe('');
    changed.delete('');
    expect([...changed].toSorted()).toEqual([
      'packages/monitor-proto/src/invariants/links.ts',
      'packages/monitor-proto/src/messages/monitor.ts',
      'packages/node-kernel/src/monitor/greetings/greetings.ts',
      'packages/node-kernel/src/services.ts',
    ]);
  });

  test('it answers, counts and keeps its invariant', async () => {
    const entry = join(copy, 'run.ts');
    writeFileSync(entry, blockOf('run'));
    const outfile = join(copy, 'run.mjs');
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['@mk/source'],
      banner: {
        js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
      },
      external: ['swipl-wasm', 'node-sqlite3-wasm'],
      logLevel: 'error',
    });
    const { stdout, stderr, status } = spawnSync(process.execPath, [outfile], { encoding: 'utf8', cwd: copy });
    expect({ stdout, stderr, status }).toEqual({ stdout: blockOf('expected'), stderr: '', status: 0 });
    expect(relative(root, copy)).toMatch(/^node_modules/);
  });
});
