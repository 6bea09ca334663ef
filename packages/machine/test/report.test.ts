import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseFaultPlan } from '@mk/machine/fault-plan';
import { askedOfPlan } from '@mk/machine/report/asked';
import { keepReport, keepRun, makeRunFolder, pointAt } from '@mk/machine/report/io/kept-reports';
import { INTERVALS_MOST, KEPT_REPORTS, TIMELINE_MOST } from '@mk/machine/report/limits';
import { RateCounter } from '@mk/machine/report/rate-counter';
import { type Ending, ReportBuilder } from '@mk/machine/report/report-builder';
import { reportHtml } from '@mk/machine/report/report-html';
import type { ReportLine } from '@mk/machine/report/report-line';
import { reportText } from '@mk/machine/report/report-text';
import type { RunReport } from '@mk/machine/report/run-report';

const PLAN = `
cores: 4
workload: { program: bank, args: [--rounds, 3] }
faults:
  - { at: 200ms,  partition: { groups: [[0, 1], rest], for: 1s } }
  - { at: 1500ms, crash: { core: 3 } }
  - { at: 1800ms, restart: { core: 3 } }
  - { at: 5s, hang: { core: 2, for: 1s } }
expect: [invariants, converge]
`;
const ZERO = 1_000_000;

function builderOf(text = PLAN): ReportBuilder {
  const plan = parseFaultPlan(text);
  if (!plan.ok) throw new Error(plan.error);
  const chosen = { what: 'plan <a&b>.yaml', repeat: 'mk-launch --plan a.yaml', seed: '7', machine: 'flat', cores: 4 };
  const builder = new ReportBuilder('processes', askedOfPlan(plan.value, chosen), new Date('2026-01-02T03:04:05.678Z'));
  builder.begin(ZERO);
  return builder;
}

const line = (at: number, core: number | string, event: string, fields: object = {}): ReportLine => ({
  time: ZERO + at,
  core,
  event,
  incarnation: 1,
  ...fields,
});

const HELD: Ending = { atMs: ZERO + 4000, why: null, broken: [] };

/** A run in which core 3 is cut off together with core 2, and crashes. */
function told(): ReportBuilder {
  const builder = builderOf();
  builder.line(line(-5, 0, 'fault_applied', { rule: 'before', text: 'before the beginning' }));
  for (const core of [0, 2])
    builder.line(line(205 + core, core, 'fault_applied', { rule: 'plan-0', text: 'partition 0,1 | rest' }));
  for (const core of [0, 1])
    builder.line(line(700 + core, core, 'peer_suspected', { level: 'warn', peer: 3, silent_ms: 500 }));
  builder.request('round', 'OPERATION_TIMEOUT', ZERO + 300, ZERO + 1100);
  builder.request('round', 'ok', ZERO + 100, ZERO + 150);
  builder.line(line(1208, 2, 'fault_healed', { rule: 'plan-0', affected: 30 }));
  builder.line(line(1205, 0, 'fault_healed', { rule: 'plan-0', affected: 12 }));
  builder.line(line(1510, 'launcher', 'fault_applied', { rule: 'crash:3', text: 'crash 3' }));
  for (const core of [0, 1, 2])
    builder.line(
      line(1900 + core, core, 'view_installed', { view: 2, leader: 0, members: [0, 1, 2], joined: [], lost: [3] }),
    );
  builder.line(
    line(1950, 1, 'cap_operation', { op: '1.1.4', kind: 'revoke', result: 'PEER_GONE', elapsed_us: 90_000 }),
  );
  builder.line(line(1960, 1, 'cap_operation', { op: '1.1.5', kind: 'revoke', result: 'ok', elapsed_us: 900 }));
  builder.line(line(2500, 'launcher', 'fault_healed', { rule: 'crash:3', affected: 0 }));
  builder.line(line(2400, 3, 'core_ready', { incarnation: 2, links: 3 }));
  builder.line(
    line(3000, 0, 'domain_finished', { domain: '0.1.1', program: 'bank', cause: 'exited', status: 0, text: '' }),
  );
  return builder;
}

describe('the report of a run', () => {
  test('says what was asked and how it ended', () => {
    const report = told().finish(HELD);
    expect(report.verdict).toBe('held');
    expect(report.took_ms).toBe(4000);
    expect(report.asked).toMatchObject({
      seed: '7',
      cores: 4,
      workload: 'bank --rounds 3',
      expect: ['invariants', 'converge'],
    });
    expect(report.asked.faults.map(({ at_ms, text }) => [at_ms, text])).toEqual([
      [200, 'partition 0,1 | rest for 1 s'],
      [1500, 'crash 3'],
      [1800, 'restart 3'],
      [5000, 'hang 2 for 1 s'],
    ]);
    expect(report.requests).toEqual([{ what: 'round', outcomes: { OPERATION_TIMEOUT: 1, ok: 1 } }]);
    expect(report.operations).toEqual([{ what: 'revoke', outcomes: { PEER_GONE: 1, ok: 1 } }]);
    expect(report.domains).toEqual([{ at_ms: 3000, domain: '0.1.1', program: 'bank', cause: 'exited', status: 0 }]);
    expect(report.expected.map(({ name, held }) => [name, held])).toEqual([
      ['invariants', true],
      ['converge', true],
    ]);
  });

  test('says of each fault when it was in force, whom it hit and what failed meanwhile', () => {
    const [partition, crash, hang] = told().finish(HELD).faults;
    expect(partition).toMatchObject({ rule: 'plan-0', planned_ms: 200, began_ms: 205, ended_ms: 1208, frames: 42 });
    expect(partition?.did).toEqual([
      '42 frames felt it',
      'core 3 was suspected by 2',
      '1 × round ended in OPERATION_TIMEOUT',
    ]);
    expect(crash).toMatchObject({ text: 'crash 3', began_ms: 1510, ended_ms: 2500 });
    expect(crash?.did).toEqual([
      'view 2 went on without core 3 after 0.390 s',
      'core 3 was ready again after 0.890 s',
      '1 × revoke ended in PEER_GONE',
    ]);
    expect(hang).toMatchObject({ rule: 'hang:2', began_ms: null, did: ['it never came into force'] });
  });

  test('tells the same news of many cores once, in order of time', () => {
    const { timeline } = told().finish(HELD);
    expect(timeline.map(({ at_ms, kind, who, text }) => [at_ms, kind, who, text])).toEqual([
      [205, 'fault', '', 'partition 0,1 | rest for 1 s'],
      [700, 'suspicion', 'cores 0,1', 'suspects core 3'],
      [1208, 'healed', '', 'over: partition 0,1 | rest for 1 s'],
      [1510, 'fault', '', 'crash 3'],
      [1800, 'asked', '', 'restart 3'],
      [1900, 'view', '', 'view 2: 3 members, leader 0; lost 3'],
      [1950, 'failed', 'core 1', 'revoke 1.1.4 ended in PEER_GONE'],
      [2400, 'member', 'core 3', 'is ready again, as incarnation 2'],
      [2500, 'healed', '', 'over: crash 3'],
      [3000, 'program', 'core 0', 'bank (0.1.1) exited with 0'],
    ]);
  });

  test('knows who has not said yet that a fault is over', () => {
    const builder = builderOf();
    for (const core of [0, 1]) builder.line(line(205, core, 'fault_applied', { rule: 'plan-0', text: '' }));
    expect(builder.untold).toEqual([]);
    builder.line(line(900, 1, 'fault_healed', { rule: 'plan-0', affected: 0 }));
    expect(builder.untold).toEqual(['0 1']);
  });

  test('what broke is told under the expectation that it breaks; what says nothing holds nothing', () => {
    const broke = told().finish({ ...HELD, broken: [{ name: 'converge', text: 'two halves', atMs: ZERO + 3500 }] });
    expect(broke.verdict).toBe('broke');
    expect(broke.expected[1]).toEqual({ name: 'converge', held: false, broken: ['two halves'] });
    expect(broke.timeline.at(-1)).toEqual({ at_ms: 3500, kind: 'broken', who: '', text: 'converge: two halves' });
    const unknown = told().finish({ ...HELD, why: 'it was interrupted' });
    expect(unknown.verdict).toBe('unknown');
    expect(unknown.expected.some(({ held }) => held)).toBe(false);
  });

  test('is bounded: faults stay, the rest is counted', () => {
    const builder = told();
    for (let i = 0; i < 10 * TIMELINE_MOST; i++)
      builder.line(
        line(1300 + i, 0, 'cap_operation', { op: `0.1.${i}`, kind: 'copy', result: 'PEER_GONE', elapsed_us: 1 }),
      );
    const { timeline, left_out: leftOut, operations } = builder.finish(HELD);
    expect(timeline).toHaveLength(TIMELINE_MOST);
    expect(leftOut).toBe(10 + 10 * TIMELINE_MOST - TIMELINE_MOST);
    expect(timeline.filter(({ kind }) => kind === 'fault')).toHaveLength(2);
    expect(operations.find(({ what }) => what === 'copy')?.outcomes).toEqual({ PEER_GONE: 10 * TIMELINE_MOST });
  });
});

test('intervals grow with the run and lose no count', () => {
  const counter = new RateCounter();
  for (let ms = 0; ms < 3_600_000; ms += 997) counter.add(ms, ms % 2 === 0);
  const { every_ms: everyMs, ok, failed } = counter.rate;
  expect(ok.length).toBeLessThanOrEqual(INTERVALS_MOST);
  expect(everyMs * ok.length).toBeGreaterThanOrEqual(3_600_000 - everyMs);
  expect([...ok, ...failed].reduce((sum, n) => sum + n, 0)).toBe(Math.ceil(3_600_000 / 997));
});

describe('renderers', () => {
  test('the text holds verdict, expectations, faults and the command that does it again', () => {
    const text = reportText(told().finish(HELD));
    expect(text.split('\n')[0]).toBe('HELD  plan <a&b>.yaml on 4 cores (flat), processes, seed 7, in 4.000 s');
    for (const part of [
      'converge: held',
      '1.500 s  crash 3',
      '42 frames felt it',
      'asked for: round: 1 ok, 1 OPERATION_TIMEOUT',
    ])
      expect(text).toContain(part);
    expect(text.trimEnd().endsWith('repeat: mk-launch --plan a.yaml')).toBe(true);
  });

  test('the page holds the same, needs no other file, and takes no text for markup', () => {
    const html = reportHtml(told().finish(HELD), [{ title: 'More', svg: '<svg class="mine"></svg>' }]);
    expect(html).toContain('plan &lt;a&amp;b&gt;.yaml');
    expect(html).not.toContain('<a&b>');
    expect(html).toContain('<svg class="mine">');
    expect(html).not.toMatch(/<script|\bsrc=|href="(?!data:)|url\(|@import/);
    for (const part of ['42 frames felt it', 'view 2: 3 members', 'crash 3', 'OPERATION_TIMEOUT'])
      expect(html).toContain(part);
  });

  test('a run in which nothing happened is rendered as well', () => {
    const report = new ReportBuilder('virtual time', { ...told().finish(HELD).asked, faults: [] }, new Date(0)).finish(
      HELD,
    );
    expect(report.took_ms).toBe(0);
    expect(reportHtml(report)).not.toMatch(/NaN|Infinity|undefined/);
    expect(reportText(report)).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe('kept reports', () => {
  let runs: string;
  let report: RunReport;
  beforeAll(() => {
    runs = join(mkdtempSync(join(tmpdir(), 'mk-runs-')), 'a', 'runs');
    report = told().finish(HELD);
  });
  afterAll(() => rmSync(join(runs, '..', '..'), { recursive: true }));

  test('lie in a folder of their own, and latest names the last', () => {
    const first = keepRun(runs, report, { files: { 'plan.yaml': PLAN } });
    const second = keepRun(runs, report);
    if (!first.ok || !second.ok) throw new Error('not kept');
    expect(first.value).not.toBe(second.value);
    expect(readdirSync(first.value).sort()).toEqual(['plan.yaml', 'report.html', 'report.json', 'report.txt']);
    expect(JSON.parse(readFileSync(join(runs, 'latest', 'report.json'), 'utf8'))).toEqual(report);
    expect(
      second.value.endsWith(
        readdirSync(runs)
          .filter((name) => name !== 'latest')
          .sort()
          .at(-1)!,
      ),
    ).toBe(true);
  });

  test('where there are no links latest is a file with the name', () => {
    const latest = join(runs, 'latest');
    pointAt(latest, 'some-run', () => {
      throw Object.assign(new Error('no links here'), { code: 'EPERM' });
    });
    expect(readFileSync(latest, 'utf8')).toBe('some-run\n');
    pointAt(latest, 'another');
    expect(lstatSync(latest).isSymbolicLink()).toBe(true);
  });

  test('the oldest go past the bound, and nothing that is not a report', () => {
    const others = ['sim-seed-1.ndjson', '2020-01-01T00-00-00.000Z', '2020-01-02T00-00-00.000Z'];
    writeFileSync(join(runs, others[0]!), '');
    mkdirSync(join(runs, others[1]!));
    writeFileSync(join(runs, others[2]!), 'a file with a name like ours');
    const made = Array.from({ length: KEPT_REPORTS + 1 }, (_, i) => {
      const folder = makeRunFolder(runs, new Date(Date.UTC(2030, 0, 1) + i));
      keepReport(folder, report);
      return folder;
    });
    expect(existsSync(made[0]!)).toBe(false);
    expect(made.slice(1).every((folder) => existsSync(folder))).toBe(true);
    expect(others.every((name) => existsSync(join(runs, name)))).toBe(true);
  });

  test('a folder that cannot be made is told in one line', () => {
    const kept = keepRun(join(runs, 'latest', 'report.json', 'x'), report);
    expect(kept).toMatchObject({
      ok: false,
      error: expect.stringMatching(/^the report cannot be kept in .*--runs DIR or MK_RUNS_DIR/),
    });
  });
});
