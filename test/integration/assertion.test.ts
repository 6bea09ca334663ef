import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';

/** A core and an SKB, as real processes, with an invariant violated by a fault planted in the state machine. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const PLANTED = `
  import { assertInvariant } from '@mk/monitor-proto/assert';
  const plant = (machine) => {
    const step = machine.prototype.step;
    machine.prototype.step = function (event, now) {
      if (event.type === 'start') step.call(this, event, now);
      assertInvariant('A1', event.type !== 'start', () => 'a breach was planted');
      return step.call(this, event, now);
    };
  };`;
const PROGRAMS = {
  core: `${PLANTED}
    import { Kernel } from '@mk/node-kernel/kernel';
    plant(Kernel);
    await import('@mk/node-kernel/main');`,
  skb: `${PLANTED}
    import { Skb } from '@mk/skb/skb';
    plant(Skb);
    await import('@mk/skb/main');`,
};
const COMMON = {
  cluster: 'assertion-test',
  secret: '00'.repeat(32),
  listenHost: '127.0.0.1',
  listenPort: 0,
  logLevel: 'info',
  detached: true,
};
const SETTINGS = {
  core: { MK_CORE: JSON.stringify({ ...COMMON, core: 3, skb: '127.0.0.1:1' }) },
  skb: {
    MK_SKB: JSON.stringify({
      ...COMMON,
      expectedCores: 1,
      maxCores: 1,
      seed: 'test',
      links: {},
      timeScale: 0,
      measure: false,
    }),
  },
};

let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(root, 'node_modules', '.mk-assertion-'));
  const banner = {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  };
  await build({
    entryPoints: Object.keys(PROGRAMS).map((name) => ({ in: `planted:${name}`, out: name })),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@mk/source'],
    external: ['ws', 'swipl-wasm', 'node-sqlite3-wasm', 'fs-native-extensions', 'msgpackr'],
    banner,
    logLevel: 'error',
    plugins: [
      {
        name: 'planted',
        setup(builder) {
          builder.onResolve({ filter: /^planted:/ }, ({ path }) => ({ path, namespace: 'planted' }));
          builder.onLoad({ filter: /.*/, namespace: 'planted' }, ({ path }) => ({
            contents: PROGRAMS[path.slice('planted:'.length) as keyof typeof PROGRAMS],
            resolveDir: root,
            loader: 'ts',
          }));
        },
      },
    ],
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: keyof typeof PROGRAMS): Promise<Ended> {
  const child = spawn(process.execPath, [join(folder, `${program}.mjs`)], {
    env: { ...process.env, ...SETTINGS[program], MSGPACKR_NATIVE_ACCELERATION_DISABLED: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })));
}

describe('a broken invariant ends', () => {
  test.each([
    ['core', { core: -1, incarnation: 0, members: 0 }],
    ['skb', { members: 0, expected: 1 }],
  ] as const)('a %s with exit status 70, its name and a dump of its state', async (program, state) => {
    const { status, stdout, stderr } = await run(program);
    expect({ status, stderr }).toMatchObject({ status: 70 });
    expect(stderr).toContain('AssertionFailure: A1: a breach was planted');
    const lines = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const failed = lines.find(({ event }) => event === 'assertion_failed');
    expect(failed).toMatchObject({ level: 'error', invariant: 'A1' });
    const described = failed?.['state'] as Record<string, unknown>;
    expect(described['status'] ?? described).toMatchObject(state);
  });
});
