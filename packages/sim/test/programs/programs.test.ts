import { describe, expect, test } from '@jest/globals';
import { Checks } from '@mk/sim/checkers/registry';
import { capabilityChecker } from '@mk/sim/checkers/capabilities';
import { leakChecker } from '@mk/sim/checkers/leaks';
import { programChecker } from '@mk/sim/checkers/programs';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { firstDifference, type TurnRecord } from '@mk/sim/programs/sim-programs';
import { bareProgram, context, ProgramSimulation } from './program-simulation.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  hello: `mk.print('hello from ' + mk.run.core + ' with ' + mk.run.args.join(' ') + ' ' + JSON.stringify(mk.run.environment));
    await mk.sleep(1e6);
    mk.exit(7);`,
  sleeper: `await mk.sleep(3600e9);`,
  throws: `await mk.sleep(1e6); throw new Error('as it happens');`,
  hog: `mkBorder.work(3600e9);`,
  worker: `for (;;) { mkBorder.work(Number(mk.run.args[0])); await mk.call('nop'); }`,
  /** Spans every core given, hears from each, and exits. */
  span: `if (mk.run.part === 'span') { mk.tell('span_send', mk.run.cores[0], { from: mk.run.core, others: mk.run.cores }); await mk.sleep(3600e9); }
    for (const core of mk.run.args) await mk.call('span', Number(core));
    for (const _ of mk.run.args) { const { core, data } = await mk.next('span_message'); mk.print(core + ' said ' + JSON.stringify(data)); }
    if (mk.run.environment.STAY) { const left = await mk.next('span_left'); mk.print('lost ' + left.core + ' ' + left.error); }
    mk.exit(3);`,
  /** Spawns a child with its own memory, and waits for it. */
  parent: `const address = await mk.call('allocate', { bytes: 65536 });
    const child = await mk.call('spawn', { program: 'child', core: Number(mk.run.args[0]), args: ['x'], capabilities: [address] });
    mk.print('child ' + child.domain);
    const status = await mk.call('wait', child.domain);
    mk.print(JSON.stringify([status.cause, status.status]));
    mk.exit(0);`,
  child: `const [address] = mk.run.capabilities;
    const { capability } = await mk.call('invoke', { operation: 'identify', target: { address } });
    mk.print('holds ' + JSON.stringify(capability));
    await mk.call('invoke', { operation: 'retype', source: { address }, destination: { address: 40 }, type: 'Frame', offset: 0, objectSize: 4096, count: 8 });
    mk.exit(5);`,
  clock: `const seen = [Date.now(), new Date().toISOString(), Math.random(), performance.now(), new Date(2020, 0, 1).getTime(), Date.parse('2020-01-01T00:00:00')];
    mk.print(JSON.stringify(seen)); mk.exit(0);`,
  planted: `mk.print(String(globalThis.planted())); mk.exit(0);`,
  race: `let order = ''; await Promise.all([1, 2, 3].map(async (n) => { for (let i = 0; i < n; i++) await null; order += n; })); mk.print(order); mk.exit(0);`,
};
const TEXTS = new Map(
  await Promise.all(Object.entries(PROGRAMS).map(async ([n, body]) => [n, await bareProgram(body)] as const)),
);

/** A simulation with every program of this file on core 0, watched by the checkers for programs. */
class Watched extends ProgramSimulation {
  readonly checks: Checks;

  constructor(options: Partial<SimulationOptions> = {}, plant?: (realm: Record<string, unknown>) => void) {
    super(options, new VmPrograms(context, plant as never));
    this.checks = new Checks(this.simulation, [programChecker, capabilityChecker, leakChecker]);
    for (const [name, text] of TEXTS) this.load(0, name, text);
  }

  /** Everything has ended: nothing may be left. */
  end(): void {
    this.simulation.run(this.simulation.now + 3e9);
    this.checks.atEnd();
    expect(this.checks.violations).toEqual([]);
  }

  free(core: number): number {
    return this.simulation.node(core).kernel!.cpuDriver.state.ram.freeBytes;
  }
}

describe('a program', () => {
  test('runs with its arguments and environment, and its status is what it exits with', () => {
    const s = new Watched();
    const domain = s.spawn(0, 'hello', ['a', 'b'], { environment: { N: 'x' } });
    expect(s.wait(0, domain)).toMatchObject({ cause: 'exited', status: 7, parts: { 0: 'exited' } });
    expect(s.output).toEqual(['0: hello from 0 with a b {"N":"x"}']);
    s.end();
  });

  test('runs on another core than it was loaded on', () => {
    const s = new Watched();
    const domain = s.spawn(0, 'hello', ['there'], { core: 2 });
    expect(domain).toBe('2.1.1');
    expect(s.wait(1, domain)).toMatchObject({ cause: 'exited', status: 7, parts: { 2: 'exited' } });
    expect(s.output).toEqual(['2: hello from 2 with there {}']);
    s.end();
  });

  test('spawns another with arguments and capabilities, and waits for its status', () => {
    for (const core of [0, 1]) {
      const s = new Watched();
      const before = [s.free(0), s.free(1)];
      expect(s.wait(0, s.spawn(0, 'parent', [String(core)]))).toMatchObject({ cause: 'exited', status: 0 });
      expect(s.output).toContainEqual(expect.stringMatching(new RegExp(`^${core}: holds \\[`)));
      expect(s.output).toContain('0: ["exited",5]');
      s.end();
      expect([s.free(0), s.free(1)]).toEqual(before);
    }
  });

  test('that is not known is refused by name', () => {
    const s = new Watched();
    expect(s.ask(0, 'domain_spawn', { program: 'nobody' })).toMatchObject({ ok: false, error: 'NO_SUCH_PROGRAM' });
    expect(s.ask(0, 'domain_wait', { domain: '0.1.99' })).toMatchObject({ ok: false, error: 'NO_SUCH_DOMAIN' });
    expect(s.ask(0, 'domain_kill', { domain: 'x' })).toMatchObject({ ok: false, error: 'NO_SUCH_DOMAIN' });
    s.end();
  });
});

describe('an end', () => {
  test('by kill frees everything; whoever waits hears of it', () => {
    const s = new Watched();
    const before = s.free(1);
    const domain = s.spawn(0, 'sleeper', [], { core: 1 });
    expect(s.value(1, 'domain_wait', { domain, nohang: 1 })).toMatchObject({
      finished: false,
      parts: { 1: 'running' },
    });
    s.value(2, 'domain_kill', { domain });
    expect(s.wait(0, domain)).toMatchObject({ cause: 'KILLED', status: 1 });
    s.end();
    expect(s.free(1)).toBe(before);
  });

  test('by an error that nobody catches is reported with its text', () => {
    const s = new Watched();
    expect(s.wait(0, s.spawn(0, 'throws'))).toMatchObject({ cause: 'UNCAUGHT', status: 1, text: 'as it happens' });
    s.end();
  });

  test('by keeping the core: asked, given grace, recorded, killed; its neighbours go on', () => {
    const s = new Watched();
    const [hog, hello] = [s.spawn(0, 'hog'), s.spawn(0, 'hello')];
    expect(s.wait(0, hog)).toMatchObject({ cause: 'OVERRUN', status: 1 });
    expect(s.wait(0, hello)).toMatchObject({ cause: 'exited', status: 7 });
    expect(s.lines.find(({ event }) => event === 'dispatcher_overran')).toMatchObject({ domain: hog, kept_ms: 5081 });
    s.end();
  });

  test('spawn and kill a thousand times leave memory, capabilities and numbers as they were', () => {
    const s = new Watched({ logLevel: 'off' });
    const before = [0, 1, 2].map((core) => s.free(core));
    for (let i = 0; i < 1000; i++) {
      const domain = s.spawn(0, i % 2 ? 'sleeper' : 'hello', [], { core: i % 3 });
      if (i % 2) s.value(0, 'domain_kill', { domain });
      s.wait(0, domain);
    }
    s.end();
    expect([0, 1, 2].map((core) => s.free(core))).toEqual(before);
  });
});

describe('a domain over several cores', () => {
  test('spans, hears from its other dispatchers, and exits on all of them', () => {
    const s = new Watched({ cores: 4 });
    const domain = s.spawn(0, 'span', ['1', '2', '3']);
    expect(s.wait(2, domain)).toMatchObject({
      cause: 'exited',
      status: 3,
      parts: { 0: 'exited', 1: 'exited', 2: 'exited', 3: 'exited' },
    });
    expect([...s.output].sort()).toEqual([
      '0: 1 said {"from":1,"others":[0]}',
      '0: 2 said {"from":2,"others":[0,1]}',
      '0: 3 said {"from":3,"others":[0,1,2]}',
    ]);
    s.end();
  });

  test('goes on when one of its cores dies, and hears of it by name', () => {
    const s = new Watched({ cores: 4 });
    const domain = s.spawn(0, 'span', ['1', '2'], { environment: { STAY: 'yes' } });
    s.until(() => s.output.length === 2);
    s.simulation.crash(2);
    s.simulation.call(s.simulation.now + 1e9, () => s.simulation.startNode(2));
    expect(s.wait(0, domain)).toMatchObject({
      cause: 'exited',
      status: 3,
      parts: { 0: 'exited', 1: 'exited', 2: 'PEER_GONE' },
    });
    expect(s.output).toContain('0: lost 2 PEER_GONE');
  });

  test('ends everywhere when the core of its first dispatcher dies', () => {
    const s = new Watched({ cores: 3 });
    const domain = s.spawn(0, 'span', ['2'], { core: 1, environment: { STAY: 'yes' } });
    s.until(() => s.output.length === 1);
    s.simulation.crash(1);
    s.simulation.call(s.simulation.now + 1e9, () => s.simulation.startNode(1));
    expect(s.wait(0, domain)).toMatchObject({ cause: 'HOME_GONE', status: 1 });
    s.until(() => s.simulation.node(2).kernel!.services.programs.parts.all().length === 0);
  });
});

describe('determinism', () => {
  test('clock, date and random numbers are the kernel’s: the same in every run, others for another seed of the domain', () => {
    const [first, second] = [new Watched(), new Watched()].map((s) => {
      s.wait(0, s.spawn(0, 'clock'));
      return s.output[0]!;
    });
    expect(first).toBe(second);
    expect(JSON.parse(first!.slice(3))).toMatchObject([
      expect.any(Number),
      expect.stringMatching(/^2009-10-11T/),
      expect.any(Number),
      expect.any(Number),
      Date.UTC(2020, 0, 1),
      Date.UTC(2020, 0, 1),
    ]);
  });

  test('the same seed gives the same trace; a clock of the host that gets in is seen in it, and named', () => {
    let ticks = 0;
    const run = (program: string): { hash: string; turns: readonly TurnRecord[] } => {
      const s = new Watched({}, (realm) => (realm['planted'] = () => (ticks += 1)));
      s.simulation.programs.record = [];
      s.wait(0, s.spawn(0, program));
      return { hash: s.simulation.hash!.digest(), turns: s.simulation.programs.record };
    };
    expect(run('race')).toEqual(run('race'));
    const [a, b] = [run('planted'), run('planted')];
    expect(a.hash).not.toBe(b.hash);
    expect(firstDifference(a.turns, b.turns)).toMatch(/program planted \(domain 0\.1\.1, dispatcher 1 of core 0\)/);
    expect(firstDifference(a.turns, a.turns)).toBeNull();
  });
});

describe('the scheduler', () => {
  test('gives run time by weight: 1, 2 and 4', () => {
    const s = new Watched();
    const domains = [1, 2, 4].map((weight) => s.spawn(0, 'worker', ['500000'], { weight }));
    s.simulation.run(s.simulation.now + 10e9);
    const rows = s.value<{ domain: string; run_ns: number }[]>(0, 'dispatchers');
    const total = rows.reduce((sum, { run_ns }) => sum + run_ns, 0);
    const shares = domains.map((domain) => rows.find((row) => row.domain === domain)!.run_ns / total);
    [1 / 7, 2 / 7, 4 / 7].forEach((wanted, i) => expect(Math.abs(shares[i]! / wanted - 1)).toBeLessThan(0.05));
  });
});
