import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LOG_EVENTS } from '@mk/monitor-proto/log-events';
import { buildLogLine } from '@mk/monitor-proto/log-line';
import { type CheckedLine, checkProcessLog, logLineError } from '../support/log-schema.ts';

/** The log is a public contract: a real cluster's log conforms to the published schema. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const good = {
  level: 'info',
  time: 1,
  ...buildLogLine({ core: 3, incarnation: 1 }, 'core_ready', 1, 0, { links: 3, elapsed_ms: 1.5 }),
  msg: 'm',
};

describe('the schema check', () => {
  test('accepts a line that the source builds', () => {
    expect(logLineError(JSON.stringify(good))).toBeNull();
  });

  test.each([
    ['text', 'core 3 is ready', 'is not JSON'],
    ['an event that nobody knows', JSON.stringify({ ...good, event: 'core_redy' }), 'no known event'],
    ['a field that the event has not', JSON.stringify({ ...good, secret: 'x' }), 'unknown field secret'],
    ['a field of the wrong type', JSON.stringify({ ...good, links: '3' }), 'links is string'],
    ['a line without lamport', JSON.stringify({ ...good, lamport: undefined }), 'has no lamport'],
    ['the wrong level', JSON.stringify({ ...good, level: 'warn' }), 'level is "warn"'],
    ['another version', JSON.stringify({ ...good, v: 99 }), 'v is 99'],
  ])('refuses %s', (_what, line, error) => {
    expect(logLineError(line)).toContain(error);
  });

  test('refuses a log with a missing line', () => {
    const lines = [1, 2, 4].map((seq) => JSON.stringify({ ...good, seq })).join('\n');
    expect(() => checkProcessLog(lines)).toThrow('has seq 4, not 3');
  });
});

describe('a cluster of four cores at level debug, and a clean end', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mk-logs-'));
  const processes = new Map<string, readonly CheckedLine[]>();

  beforeAll(async () => {
    const options = [
      '--cores',
      '4',
      '--name',
      `logs-${process.pid}`,
      '--seed',
      '1',
      '--log-level',
      'debug',
      '--log-dir',
      folder,
      '--for',
      '2s',
    ];
    const launched = spawn('node', [join(root, 'dist', 'mk-launch.cjs'), ...options], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const status = await new Promise((resolve) => launched.on('exit', resolve));
    if (status !== 0) throw new Error(`mk-launch ended with ${String(status)}`);
    for (const file of readdirSync(folder))
      processes.set(file, checkProcessLog(readFileSync(join(folder, file), 'utf8')));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('every line of every process is as published, and none is missing', () => {
    const cores = [0, 1, 2, 3].map((core) => `core-${core}.jsonl`);
    expect([...processes.keys()].filter((name) => name.endsWith('.jsonl'))).toEqual(
      expect.arrayContaining([...cores, 'skb.jsonl']),
    );
  });

  test('the six steps of the join, messages and the end are among them', () => {
    const seen = new Set([...processes.values()].flat().map(({ event }) => event));
    for (const event of [
      'process_started',
      'core_registered',
      'join_step',
      'core_ready',
      'mesh_complete',
      'message_sent',
      'message_delivered',
      'process_stopping',
    ] as const) {
      expect(Object.keys(LOG_EVENTS)).toContain(event);
      expect(seen).toContain(event);
    }
  });
});
