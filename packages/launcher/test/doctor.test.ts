import { expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostFacts, judge } from '../src/doctor/checks.ts';
import { hostFacts } from '../src/doctor/host-facts.ts';
import { StateDirectory } from '../src/state/state-directory.ts';

const WELL: HostFacts = {
  node: 'v20.11.0',
  cpus: 8,
  load: 0.5,
  openFiles: 1024,
  processes: 4096,
  availableBytes: 16e9,
  ports: { low: 32_768, high: 60_999 },
  listenFault: null,
  folders: [{ path: '/state', freeBytes: 10e9, fault: null }],
  engine: '27.0.1',
  clusters: [],
  strangeRecords: [],
};

test('a host that is well needs nothing', () => {
  expect(judge(WELL, 8).filter(({ state, advice }) => state !== 'ok' || advice !== '')).toEqual([]);
});

test.each<[string, Partial<HostFacts>, number, string, string]>([
  ['Node', { node: 'v18.20.0' }, 8, 'bad', 'install Node 20.11 or later'],
  ['open files', { openFiles: 100 }, 64, 'bad', 'ulimit -n 192'],
  ['processes', { processes: 100 }, 64, 'bad', 'ulimit -u 792'],
  ['memory', { availableBytes: 1e9 }, 64, 'bad', 'use at most 8 cores, or end what uses the memory'],
  ['ports', { listenFault: 'EADDRNOTAVAIL' }, 8, 'bad', 'bring the loopback up: ip link set lo up'],
  ['ports', { ports: { low: 60_000, high: 60_999 } }, 64, 'bad', expect.stringContaining('sysctl') as never],
  ['CPUs', { load: 40 }, 8, 'warning', expect.stringContaining('busy') as never],
  [
    'disk',
    { folders: [{ path: '/x', freeBytes: 1e6, fault: null }] },
    8,
    'warning',
    expect.stringContaining('make room') as never,
  ],
  [
    'disk',
    { folders: [{ path: '/x', freeBytes: null, fault: 'no' }] },
    8,
    'bad',
    expect.stringContaining('MK_STATE_DIR') as never,
  ],
  ['engine', { engine: null }, 8, 'warning', expect.stringContaining('Docker') as never],
  [
    'clusters',
    { clusters: [{ name: 'old', running: 3, processes: 5, supervised: false }] },
    8,
    'bad',
    'mk-launch takeover --name old, or mkctl down --cluster old',
  ],
  [
    'clusters',
    { strangeRecords: ['/state/mk.json'] },
    8,
    'warning',
    expect.stringContaining('delete the file') as never,
  ],
])('%s: %j for %d cores', (check, facts, cores, state, advice) => {
  const odd = judge({ ...WELL, ...facts }, cores).filter((finding) => finding.state !== 'ok');
  expect(odd).toEqual([{ check, state, advice, found: expect.any(String) }]);
});

test('this host says all of it', async () => {
  const facts = await hostFacts();
  expect(facts).toMatchObject({ node: process.version, listenFault: null });
  expect(facts.openFiles).toBeGreaterThan(0);
  expect(facts.availableBytes).toBeGreaterThan(0);
});

test('a state directory that is a file, or holds what is no record, is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mk-doctor-'));
  const file = join(folder, 'mk.json');
  writeFileSync(file, 'garbage');
  try {
    const odd = await hostFacts(new StateDirectory(folder));
    expect(odd.strangeRecords).toEqual([file]);
    const { folders } = await hostFacts(new StateDirectory(file));
    expect(folders[0]).toEqual({ path: file, freeBytes: null, fault: 'is not a folder' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
