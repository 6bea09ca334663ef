import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { EXPLAIN } from '../src/ctl/explain.ts';
import { LogFolder, processesLoggedIn } from '../src/state/log-files.ts';

/** Log folders as logrotate leaves them, and as several runs fill them. */
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-logs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const log = (name: string): string => join(folder, name);

function newIn(logs: LogFolder): readonly string[] {
  const lines: string[] = [];
  logs.readNew((line) => lines.push(line));
  return lines;
}

test('a log is followed through rotations of both kinds: each line once', () => {
  const logs = new LogFolder(folder);
  writeFileSync(log('core-0.jsonl'), 'a\nb\n');
  expect(newIn(logs)).toEqual(['a', 'b']);
  // Renamed: the process goes on writing into it.
  renameSync(log('core-0.jsonl'), log('core-0.jsonl.1'));
  appendFileSync(log('core-0.jsonl.1'), 'c\n');
  expect(newIn(logs)).toEqual(['c']);
  writeFileSync(log('core-0.jsonl'), 'd and more of it\n');
  expect(newIn(logs)).toEqual(['d and more of it']);
  // Compressed: all of it is known.
  writeFileSync(log('core-0.jsonl.1.gz'), gzipSync(readFileSync(log('core-0.jsonl.1'))));
  rmSync(log('core-0.jsonl.1'));
  expect(newIn(logs)).toEqual([]);
  // Truncated.
  truncateSync(log('core-0.jsonl'));
  appendFileSync(log('core-0.jsonl'), 'e\n');
  expect(newIn(logs)).toEqual(['e']);
  rmSync(log('core-0.jsonl'));
  expect(newIn(logs)).toEqual([]);
});

test('older parts are read first, compressed ones too; what is damaged, or is not a log, is passed over', () => {
  writeFileSync(log('core-0.jsonl-20261129.gz'), gzipSync('1\n'));
  writeFileSync(log('core-0.jsonl'), '2\n');
  writeFileSync(log('core-1.jsonl.2.gz'), 'no gzip');
  writeFileSync(log('core-0.stderr'), 'x\n');
  expect(newIn(new LogFolder(folder))).toEqual(['1', '2']);
  expect(processesLoggedIn(folder)).toEqual(['core-0', 'core-1']);
});

/** What `mkctl explain` prints, or the text of its error. */
async function explained(args: Readonly<Record<string, unknown>>): Promise<string> {
  const printed: string[] = [];
  const out = (text: string): void => void printed.push(text);
  const terminal = { interactive: false, columns: 100, colour: picocolors.createColors(false), out, error: out };
  try {
    await EXPLAIN.alone!({ args: { op: '0.1.7', logs: folder, ...args }, terminal, json: false });
    return printed.join('\n');
  } catch (error) {
    return String(error);
  }
}

/** A run of core 0, at a time in seconds, that ends the operation with a result. */
function run(atS: number, result: string): string {
  const line = { v: 1, level: 'info', core: 0, incarnation: 1, op: '0.1.7', lamport: 5 };
  return [
    { ...line, seq: 1, time: atS * 1000 - 500, event: 'core_ready', op: undefined },
    { ...line, seq: 6, time: atS * 1000, event: 'round_started' },
    { ...line, seq: 9, time: atS * 1000 + 2, event: 'round_finished', result, elapsed_us: 2000 },
  ]
    .map((each) => `${JSON.stringify(each)}\n`)
    .join('');
}

test('an operation is explained from rotated logs', async () => {
  const lines = run(100, 'ok').split('\n');
  writeFileSync(log('core-0.jsonl.1'), `${lines.slice(0, 2).join('\n')}\n`);
  writeFileSync(log('core-0.jsonl'), lines.slice(2).join('\n'));
  expect(await explained({})).toMatch(/^operation 0\.1\.7: ok after 2\.00 ms[^]*round_started[^]*round_finished/);
});

test('an id that two runs in one folder have is refused with both; --run chooses', async () => {
  writeFileSync(log('core-0.jsonl'), run(100, 'ok') + run(200, 'PEER_GONE'));
  expect(await explained({})).toBe(
    'CommandError: 0.1.7 is ambiguous: 2 runs that logged here have one; choose with --run: 1 of 1970-01-01T00:01:40.000Z, 2 of 1970-01-01T00:03:20.000Z',
  );
  expect(await explained({ run: 1 })).toMatch(/^operation 0\.1\.7: ok after/);
  expect(await explained({ run: 2 })).toMatch(/^operation 0\.1\.7: PEER_GONE after/);
  for (const none of [0, 3, 1.5, NaN]) expect(await explained({ run: none })).toMatch(/--run \S+: there is 1 of/);
});

test('a run that does not mention it, and a restarted core, make nothing ambiguous', async () => {
  const other = run(200, 'ok').replaceAll('0.1.7', '0.1.6');
  writeFileSync(
    log('core-0.jsonl'),
    run(100, 'ok') +
      other +
      run(300, 'ok').replaceAll('"incarnation":1', '"incarnation":2').replaceAll('0.1.7', '0.2.7'),
  );
  expect(await explained({})).toMatch(/^operation 0\.1\.7: ok after/);
});
