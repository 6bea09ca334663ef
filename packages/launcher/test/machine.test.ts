import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../src/cli/usage-error.ts';
import { parseClusterConfig } from '../src/launch/options.ts';
import { skbEnvironment } from '../src/boot/cluster-config.ts';

const CASES = fileURLToPath(new URL('../../machine/test/data/', import.meta.url));
const OPTIONS = { 'log-level': 'info', port: '0' };

let folder = '';
const program = process.argv[1]!;
beforeAll(() => {
  // The shipped machines are looked up beside the running program.
  process.argv[1] = fileURLToPath(new URL('../../../dist/mk-launch.cjs', import.meta.url));
  folder = mkdtempSync(join(tmpdir(), 'mk-machine-'));
});
afterAll(() => {
  process.argv[1] = program;
  rmSync(folder, { recursive: true, force: true });
});

function config(args: Readonly<Record<string, string>>): ReturnType<typeof parseClusterConfig> {
  return parseClusterConfig({ ...OPTIONS, ...args }, 'test', false);
}

function machineFile(pus: number): string {
  const path = join(folder, `${pus}.xml`);
  const inside = Array.from({ length: pus }, (_, i) => `<object type="PU" os_index="${i}"/>`).join('');
  writeFileSync(path, `<topology version="2.0"><object type="Machine">${inside}</object></topology>`);
  return path;
}

describe('--machine without --cores', () => {
  test('boots every processing unit that may be used', () => {
    expect(config({ machine: join(CASES, 'cases/smt.xml') }).config.cores).toBe(4);
    expect(config({ machine: join(CASES, 'cases/disallowed-pus.xml') }).config.cores).toBe(2);
    expect(config({ machine: join(CASES, 'hwloc/96em64t-4n4d3ca2co-pci.xml') }).config.cores).toBe(96);
    expect(config({ machine: 'amd-8x4' }).config.cores).toBe(32);
  });

  test('asks for --cores above what a laptop should start, with the reason', () => {
    expect(config({ machine: machineFile(128) }).config.cores).toBe(128);
    const large = machineFile(272);
    expect(() => config({ machine: large })).toThrow(UsageError);
    expect(() => config({ machine: large })).toThrow(
      /has 272 cores, each a process here .* only when --cores says how many$/,
    );
    expect(config({ machine: large, cores: '8' }).config).toMatchObject({ cores: 8, maxCores: 272 });
  });

  test('no machine at all is four cores', () => {
    expect(config({}).config).toMatchObject({ cores: 4, machineName: 'flat' });
  });
});

test('what the SKB’s environment holds does not grow with the machine', () => {
  const small = config({ cores: '2', machine: 'flat' }).config;
  const large = config({ cores: '2', machine: machineFile(1024) }).config;
  expect(skbEnvironment(large, 0).length).toBeLessThan(skbEnvironment(small, 0).length + 10);
  expect(JSON.stringify(large.machine).length).toBeGreaterThan(10_000);
});

test('a scale at which nobody waits for a message is refused', () => {
  expect(() => config({ machine: 'amd-4x4', 'time-scale': '1e9' })).toThrow(
    /--time-scale: a message would take up to .* at most 60 s/,
  );
  expect(config({ machine: 'amd-4x4', 'time-scale': '1e5' }).config.timeScale).toBe(1e5);
});
