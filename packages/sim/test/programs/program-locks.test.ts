import { expect, test } from '@jest/globals';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { applyFault, healAll } from '@mk/sim/engine/apply-fault';
import { programTextOf } from '../../../../scripts/bundle-program.mjs';
import { ProgramSimulation } from './program-simulation.ts';

const HOLDER = await programTextOf(`import { program } from '@mk/libmk/program/program';
  export const main = program({ name: 'holder' }, async (mk) => {
    const lock = await mk.octopus.lock('disk');
    mk.console.log(mk.now() + ' has it with ' + lock.token);
    await lock.lost.catch((error) => mk.console.log(mk.now() + ' ' + error.name));
  });`);

const DESK = `import { defineInterface, rpc } from '@mk/libmk/interface/interface';
  import { u32 } from '@mk/libmk/interface/kinds';
  import { program } from '@mk/libmk/program/program';
  const Desk = defineInterface('desk', { twice: rpc({ in: { n: u32 }, out: { n: u32 } }) });`;
const KEEPER = await programTextOf(`${DESK}
  export const main = program({ name: 'keeper', interfaces: [Desk] }, async (mk) => {
    await mk.export('desk', Desk, { twice: ({ n }) => ({ n: 2 * n }) });
    const lock = await mk.octopus.lock('disk');
    await lock.lost.catch((error) => mk.console.log(mk.now() + ' ' + error.name));
    await mk.threads.semaphore(0, 'the end').wait();
  });`);
const VISITOR = await programTextOf(`${DESK}
  export const main = program({ name: 'visitor', interfaces: [Desk] }, async (mk) => {
    const desk = await mk.bind('desk', Desk, { timeoutNs: 5e9 });
    mk.console.log(mk.now() + ' ' + (await desk.twice({ n: 21 })).n);
  });`);

const TAKER = await programTextOf(`import { acquirePermit, postSemaphore } from '@mk/libmk/octopus/semaphore';
  import { program } from '@mk/libmk/program/program';
  export const main = program({ name: 'taker' }, async (mk) => {
    if (mk.args[0] === 'first') await postSemaphore(mk.octopus, 'printer');
    await acquirePermit(mk.octopus, 'printer');
    mk.console.log(mk.now() + ' has it');
    await mk.sleep(1e6);
    if (mk.args[0] === 'stay') await mk.sleep(1e12);
  });`);

/** Begins a holder on core 1, and another, which waits, on core 2. */
function twoWant(): ProgramSimulation {
  const s = new ProgramSimulation();
  for (const core of [1, 2]) {
    s.load(core, 'holder', HOLDER);
    s.spawn(core, 'holder');
    s.simulation.run(s.simulation.now + SECOND);
  }
  return s;
}

/** What the holders said, and when. */
function said(s: ProgramSimulation): readonly (readonly [core: string, at: number, what: string])[] {
  return s.output.map((line) => {
    const [, core, at, what] = /^(\d): (\d+) (.*)$/.exec(line) ?? [];
    return [core!, Number(at), what!];
  });
}

/** Core 1 does not hear the SKB. */
function cut(s: ProgramSimulation): void {
  applyFault(s.simulation, {
    type: 'rule',
    rule: { kind: 'partition', id: 'cut', groups: [[1], [SKB_PEER]], one_way: false, for_ns: null },
  });
}

/** Nor does it for three session time-outs. */
function cutOff(s: ProgramSimulation): void {
  cut(s);
  s.simulation.run(s.simulation.now + 3 * limit('sessionTimeoutNs'));
}

test('a program whose core is cut off from the SKB hears that its lock is lost before another has it (LK1)', () => {
  const s = twoWant();
  cutOff(s);
  const [, lost, next] = said(s);
  expect(said(s).map(([core, , what]) => [core, what])).toEqual([
    ['1', 'has it with 1'],
    ['1', 'LOCK_LOST'],
    ['2', 'has it with 2'],
  ]);
  expect(lost![1]).toBeLessThanOrEqual(next![1]);
});

test('a program that says nothing for long keeps its lock', () => {
  const s = twoWant();
  s.simulation.run(s.simulation.now + 5 * limit('sessionTimeoutNs'));
  expect(said(s).map(([core, , what]) => [core, what])).toEqual([['1', 'has it with 1']]);
});

test('a name goes with its core’s session, and comes back when the core does', () => {
  const s = new ProgramSimulation();
  s.load(1, 'keeper', KEEPER);
  s.load(2, 'visitor', VISITOR);
  s.spawn(1, 'keeper');
  s.simulation.run(s.simulation.now + SECOND);
  cutOff(s);
  healAll(s.simulation);
  s.simulation.run(s.simulation.now + 30 * SECOND);
  expect(JSON.stringify(s.simulation.node(SKB_PEER).skb!.knowledge.octopus.store.snapshot())).toContain('offer:desk');
  s.spawn(2, 'visitor');
  s.simulation.run(s.simulation.now + 10 * SECOND);
  expect(said(s).map(([core, , what]) => [core, what])).toEqual([
    ['1', 'LOCK_LOST'],
    ['2', '42'],
  ]);
});

test('a name whose program ended while it was being offered does not come back with a session', () => {
  const s = new ProgramSimulation();
  s.load(1, 'keeper', KEEPER);
  s.load(1, 'holder', HOLDER);
  cut(s);
  const ended = s.spawn(1, 'keeper');
  s.simulation.run(s.simulation.now + SECOND);
  s.ask(1, 'domain_kill', { domain: ended });
  healAll(s.simulation);
  s.spawn(1, 'holder');
  s.simulation.run(s.simulation.now + SECOND);
  cutOff(s);
  healAll(s.simulation);
  s.simulation.run(s.simulation.now + 30 * SECOND);
  const { store } = s.simulation.node(SKB_PEER).skb!.knowledge.octopus;
  expect(JSON.stringify(store.snapshot())).not.toContain('offer:desk');
});

test('a permit goes back when its holder ends or is killed, while its core and that one\u2019s session live on', () => {
  const s = new ProgramSimulation();
  s.load(1, 'taker', TAKER);
  for (const arg of ['first', 'stay', 'last']) {
    const taken = s.output.length;
    const domain = s.spawn(1, 'taker', [arg]);
    s.until(() => s.output.length > taken);
    if (arg === 'stay') s.ask(1, 'domain_kill', { domain });
    s.wait(1, domain);
  }
  expect(said(s).map(([core, , what]) => [core, what])).toEqual(['first', 'stay', 'last'].map(() => ['1', 'has it']));
});

const WAITER = await programTextOf(`import { program } from '@mk/libmk/program/program';
  export const main = program({ name: 'waiter' }, async (mk) => {
    const name = async () => mk.names.wait('nobody', { timeoutNs: 1e7 });
    for (let turn = 0; turn < 20; turn += 1) await name().catch((error) => mk.console.log(mk.now() + ' ' + error.name));
    await mk.threads.semaphore(0, 'the end').wait();
  });`);

test('a wait for a name that has timed out waits nowhere: neither on its core nor at the SKB', () => {
  const s = new ProgramSimulation();
  s.load(1, 'waiter', WAITER);
  s.spawn(1, 'waiter');
  s.until(() => said(s).length === 20);
  s.simulation.run(s.simulation.now + SECOND);
  expect(new Set(said(s).map(([, , what]) => what))).toEqual(new Set(['DEADLINE_EXCEEDED']));
  const { services } = s.simulation.node(1).kernel!;
  expect(services.channels.leftovers()).toEqual([]);
  const { store } = s.simulation.node(SKB_PEER).skb!.knowledge.octopus;
  expect(store.triggersOf(s.simulation.node(1).instance)).toBe(0);
});

const PATIENT = await programTextOf(`${DESK}
  export const main = program({ name: 'patient', interfaces: [Desk] }, async (mk) => {
    const found = Promise.all([
      mk.names.wait('desk', { timeoutNs: 1e17 }),
      mk.bind('desk', Desk, { deadline: Number.MAX_VALUE }),
    ]);
    await mk.sleep(1e6);
    await mk.export('desk', Desk, { twice: ({ n }) => ({ n: 2 * n }) });
    const [{ core }, desk] = await found;
    mk.console.log(mk.now() + ' core ' + core + ': ' + (await desk.twice({ n: 21 })).n);
  });`);

test('a wait for a name may last for centuries', () => {
  const s = new ProgramSimulation();
  s.load(1, 'patient', PATIENT);
  expect(s.wait(1, s.spawn(1, 'patient'))).toMatchObject({ cause: 'exited', status: 0, text: '' });
  expect(said(s).map(([, , what]) => what)).toEqual(['core 1: 42']);
});
