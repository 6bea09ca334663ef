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

const TWO_AT_ONCE = await programTextOf(`import { program } from '@mk/libmk/program/program';
  export const main = program({ name: 'two-at-once' }, async (mk) => {
    const asked = mk.octopus.get("'nothing'");
    const lock = await mk.octopus.lock('disk');
    await asked;
    await mk.sleep(1e9);
    mk.console.log('aborted: ' + lock.signal.aborted);
    await lock.release();
  });`);

test('what a program asks beside a lock does not take the lock away', () => {
  const s = new ProgramSimulation();
  s.load(1, 'two-at-once', TWO_AT_ONCE);
  const ended = s.wait(1, s.spawn(1, 'two-at-once'));
  expect({ cause: ended.cause, status: ended.status, text: ended.text }).toEqual({
    cause: 'exited',
    status: 0,
    text: '',
  });
  expect(s.output).toEqual(['1: aborted: false']);
});

const CHILD_WAITER = await programTextOf(`import { program } from '@mk/libmk/program/program';
  export const main = program({ name: 'child-waiter' }, async (mk) => {
    await mk.processes.named(mk.args[0]).wait();
  });`);

const QUITTER = await programTextOf(`${DESK}
  const WAITS = {
    wait: (mk, o) => mk.names.wait('nobody', o),
    lookUp: (mk, o) => mk.names.lookUp('nobody', o),
    bind: (mk, o) => mk.bind('nobody', Desk, o),
    export: (mk, o) => mk.export('mine', Desk, { twice: ({ n }) => ({ n }) }, o),
    query: (mk, o) => mk.skb.query('repeat, fail', o),
    record: (mk, { signal }) => mk.octopus.waitFor("'never'", signal),
    lock: (mk, { signal }) => mk.octopus.lock('taken', { signal }),
    alloc: (mk, o) => mk.capabilities.alloc(4096, o),
    copy: (mk, o, { ram }) => mk.capabilities.copy(ram, o),
    retype: (mk, o, { ram }) => mk.capabilities.retype(ram, 'Frame', { bytes: 4096, count: 1 }, o),
    here: (mk, o, { here }) => here.wait(o),
    there: (mk, o, { there }) => there.wait(o),
    thread: (mk, o, { thread }) => thread.join(o),
    far: (mk, o, { thread }) => mk.join(thread.handle, o),
    kept: (mk, o, { desk }) => desk.twice({ n: 7 }, o),
  };
  const stay = (mk) => mk.sleep(1e15);
  export const main = program({ name: 'quitter', threads: { stay } }, async (mk) => {
    if (mk.args[0] === 'desk') {
      await mk.octopus.lock('taken');
      await mk.export('desk', Desk, { twice: ({ n }) => (n === 7 ? mk.sleep(1e15) : { n: 2 * n }) });
    }
    if (mk.args.length > 0) return stay(mk);
    const [here, there] = [await mk.processes.spawn(null, { args: ['stay'] }), await mk.processes.spawn(null, { core: 2, args: ['desk'] })];
    await mk.span(2);
    const given = { here, there, thread: mk.spawnOn(2, 'stay'), desk: await mk.bind('desk', Desk), ram: await mk.capabilities.alloc(65536) };
    await given.desk.twice({ n: 1 });
    mk.console.log('before');
    await mk.sleep(2e9);
    for (const [name, wait] of Object.entries(WAITS))
      for (const afterNs of [0, 1, 1e3, 1e5, 1e6, 2e6, 1e9])
        for (const bySignal of [true, false]) {
          if (!bySignal && wait.toString().includes('{ signal }')) continue;
          const stop = mk.cancellation();
          const waits = wait(mk, bySignal ? { signal: stop.signal } : { timeoutNs: afterNs + 1 }, given);
          const outcome = waits.then((v) => 'came', (e) => e.name);
          if (bySignal) {
            if (afterNs > 0) await mk.sleep(afterNs);
            stop.cancel();
          }
          const said = await outcome;
          if (said === 'came') await ((await waits)?.close?.() ?? (await waits)?.release?.());
          if (said === 'came' && Number.isSafeInteger(await waits)) await mk.capabilities.delete(await waits);
          else if (said === 'came' && Array.isArray(await waits)) for (const one of await waits) await mk.capabilities.delete(one);
          mk.console.log(name + ' ' + said);
        }
    mk.console.log('after');
    await stay(mk);
  });`);

test('whoever gives a wait up, by signal or by time, leaves nothing: not on its core, not elsewhere, not at the SKB', () => {
  const s = new ProgramSimulation();
  const { simulation } = s;
  const cores = [0, 1, 2];
  const held = (): unknown => ({
    left: cores.map((core) => {
      const { services, monitor } = simulation.node(core).kernel!;
      const rows = Object.values(services).flatMap((service) => ('leftovers' in service ? service.leftovers() : []));
      return {
        rows,
        operations: monitor.context.operations.size,
        waits: services.programs.homes.all().map(({ waiters }) => waiters.size),
      };
    }),
    triggers: cores.map((core) =>
      simulation.node(SKB_PEER).skb!.knowledge.octopus.store.triggersOf(simulation.node(core).instance),
    ),
    calls: [...simulation.node(1).kernel!.services.programs.dispatchers.all()].map(({ inFlight }) => inFlight),
  });
  s.load(1, 'quitter', QUITTER);
  const domain = s.spawn(1, 'quitter');
  s.until(() => s.output.includes('1: before'));
  simulation.run(simulation.now + SECOND);
  const before = held();
  s.until(() => s.output.includes('1: after'), 600 * SECOND);
  simulation.run(simulation.now + 2 * SECOND);
  expect(new Set(s.output.map((line) => line.split(' ')[2]))).toEqual(
    new Set([undefined, 'CANCELLED', 'DEADLINE_EXCEEDED', 'came', 'EngineClosed']),
  );
  expect(held()).toEqual(before);
  s.value(0, 'domain_kill', { domain });
  s.wait(0, domain);
});

test('waits of a domain that is killed, and of a core that dies, end with them', () => {
  const s = new ProgramSimulation();
  const { simulation } = s;
  s.load(0, 'quitter', QUITTER);
  const stays = s.spawn(0, 'quitter', ['stay']);
  const waiting = (): number => simulation.node(0).kernel!.services.programs.homes.get(stays)!.waiters.size;
  s.load(1, 'child-waiter', CHILD_WAITER);
  const killed = s.spawn(1, 'child-waiter', [stays]);
  s.spawn(1, 'child-waiter', [stays], { core: 2 });
  s.until(() => waiting() === 2);
  s.value(1, 'domain_kill', { domain: killed });
  s.wait(1, killed);
  s.until(() => waiting() === 1);
  simulation.crash(2);
  s.until(() => waiting() === 0, 120 * SECOND);
  expect(waiting()).toBe(0);
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
