/*
 * The log is a public contract in both worlds: a simulated cluster's log passes, line by line, the same check as a real
 * one's (test/docs/logs.test.ts), and records faults too.
 */
import { expect, test } from '@jest/globals';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { MILLISECOND } from '@mk/monitor-proto/ids';
import { runScenario } from '@mk/sim/engine/run-scenario';
import type { Scenario, SimFault } from '@mk/sim/engine/scenario';
import { flatMachine } from '@mk/sim/engine/machines';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { TraceRecorder } from '@mk/sim/trace/recorder';
import { type CheckedLine, checkProcessLog } from '../support/log-schema.ts';

const partition: FaultRule = {
  kind: 'partition',
  id: 'p',
  for_ns: 300 * MILLISECOND,
  groups: [[0], 'rest'],
  one_way: false,
};

const FAULTS: readonly SimFault[] = [
  { type: 'rule', rule: partition },
  { type: 'crash', cores: [2] },
  { type: 'restart', cores: [2] },
  { type: 'hang', cores: [1], forNs: 100 * MILLISECOND },
  { type: 'slow', cores: [3], factor: 4, forNs: 100 * MILLISECOND },
  { type: 'reset', from: 0, to: 1 },
  { type: 'rule', rule: { ...partition, id: 'q', for_ns: null } },
  { type: 'heal', target: { id: 'q' } },
  { type: 'skb_loss', forNs: 200 * MILLISECOND },
];

const scenario: Scenario = {
  seed: 5,
  cores: 4,
  machine: 'flat',
  load: [],
  faults: FAULTS.map((action, i) => ({ atNs: (50 + 400 * i) * MILLISECOND, action })),
  faultsForNs: (FAULTS.length * 400 + 500) * MILLISECOND,
};

function record(): TraceRecorder {
  const recorder = new TraceRecorder();
  const options = { hmac: hmacSha256, machineOf: () => flatMachine(), observers: [recorder] };
  expect(runScenario(scenario, options)).toMatchObject({ violations: [], inconclusive: null });
  return recorder;
}

/** The lines of each process: a core's life begins with `seq` 1. */
function processes({ lines }: TraceRecorder): readonly (readonly CheckedLine[])[] {
  const lives = new Map<string, string[][]>();
  for (const line of lines) {
    const of = lives.get(String(line.core)) ?? [];
    lives.set(String(line.core), of);
    if (line.seq === 1) of.push([]);
    of.at(-1)!.push(JSON.stringify(line));
  }
  return [...lives.values()].flat().map((life) => checkProcessLog(life.join('\n')));
}

test('every line of a simulated cluster obeys the published schema, and every fault has its lines', () => {
  const recorder = record();
  // The SKB twice, core 2 twice, three cores, the launcher.
  const checked = processes(recorder);
  expect(checked.length).toBeGreaterThanOrEqual(8);
  const faults = checked.flat().filter(({ event }) => event.startsWith('fault_'));
  const told = faults.map(({ event, rule }) => `${event.replace('fault_', '')} ${String(rule)}`);
  for (const name of ['p', 'q', 'crash:2', 'hang:1', 'slow:3', 'crash:skb']) {
    expect(told.filter((text) => text.endsWith(` ${name}`))).toEqual([`applied ${name}`, `healed ${name}`]);
  }
  expect(told).toContain('applied reset:0-1');
  expect(faults.every(({ core, msg }) => core === 'launcher' && typeof msg === 'string')).toBe(true);
});

test('who looks on changes nothing', () => {
  const options = { hmac: hmacSha256, machineOf: () => flatMachine() };
  const alone = runScenario(scenario, options).hash;
  expect(runScenario(scenario, { ...options, observers: [new TraceRecorder()] }).hash).toBe(alone);
});
