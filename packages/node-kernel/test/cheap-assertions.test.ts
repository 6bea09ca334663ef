/*
 * Assertions of every process, not only of the simulator. Each object is brought into a state that it cannot reach by
 * itself; the next step must fail with that number. test/integration/assertion.test.ts shows what a process does then.
 */
import { describe, expect, test } from '@jest/globals';
import { AssertionFailure } from '@mk/monitor-proto/assert';
import { INVARIANTS, type InvariantName } from '@mk/monitor-proto/invariants/table';
import { limit } from '@mk/monitor-proto/limits';
import { Outbox } from '@mk/monitor-proto/outbox';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { ChangeSink } from '@mk/node-kernel/capability/model/changes';
import { Dispatchers } from '@mk/node-kernel/cpu-driver/dispatchers/dispatchers';
import { Endpoints } from '@mk/node-kernel/cpu-driver/endpoints/endpoints';
import { Kernel } from '@mk/node-kernel/kernel';
import { PHASES } from '@mk/node-kernel/monitor/agreement/round-actions';
import { Rounds } from '@mk/node-kernel/monitor/agreement/rounds';
import { Revokes } from '@mk/node-kernel/monitor/capops/revoke';
import { End } from '@mk/node-kernel/monitor/channels/end';
import { Registry } from '@mk/skb/registry/registry';

/** A private part of an object, or a method bound to it. */
function inside<T>(of: object, name: string): T {
  const found: unknown = Reflect.get(of, name);
  return (typeof found === 'function' ? found.bind(of) : found) as T;
}

const BREACHES: Readonly<Partial<Record<InvariantName, () => void>>> = {
  A1: () => {
    // A vote that is recorded but not acted upon.
    const rounds = roundsOf((node) => (node.ownVote = true));
    rounds.onRequest(1, request(), 0);
  },
  A3: () => {
    const timers = new TimerQueue();
    const rounds = roundsOf(() => undefined, timers);
    rounds.onRequest(1, request(), 0);
    Reflect.set(rounds, 'settle', () => undefined);
    timers.expire(Infinity);
  },
  CS1: () => {
    // Somebody other than the kernel takes changes, and tells nobody.
    const { changes, assertTold } = kernelOfChanges();
    assertTold();
    changes.note({ kind: 'freed', address: 0, size: 4096 });
    changes.takeChanges();
    assertTold();
  },
  J2: () => {
    const plan = { routes: [], serial: false };
    const phase = { phase: PHASES.commit, op: '5.1.1', action: 'noop', payload: NOTHING, plan, deadline: 1 } as const;
    roundsOf(() => undefined, new TimerQueue(), false).begin(phase, 0, never);
  },
  P1: () => {
    const port = { sink: new Outbox('off'), timers: new TimerQueue(), ended: () => undefined };
    const dispatchers = new Dispatchers(port as never);
    const program = { name: 'p', digest: '', text: '' } as never;
    const task = { kind: 'best_effort', weight: 1 } as const;
    const make = (id: number): object =>
      dispatchers.create({ id, domain: `0.1.${id}`, program, taskClass: task, seed: '', first: RUN }, 0);
    const resume = inside<(dispatcher: object, now: number) => void>(dispatchers, 'resume');
    resume(make(1), 0);
    resume(make(2), 0);
  },
  K2: () => {
    const end = new End(1, 1, 'urpc', 2, 1000, 0);
    end.sent = 1001;
    end.invariants();
  },
  EP2: () => {
    const endpoints = new Endpoints({} as never, {} as never, {} as never, () => undefined);
    const held = limit('endpointMessages') + 2;
    inside<Map<number, object>>(endpoints, 'byId').set(7, { id: 7, owner: 1, number: 0, held, refused: new Map() });
    endpoints.systemCalls.endpoint_taken({ id: 1 } as never, { endpoint: 7, count: 1 }, 0, () => undefined);
  },
  CR1: () => {
    const context = { rounds: { act: () => undefined }, context: { timers: new TimerQueue() } };
    const revokes = new Revokes(context as never, {} as never, { afterEachTurn: () => undefined } as never);
    inside<(part: object, refusal: null) => void>(revokes, 'vote')({ op: '0.1.1', mark: null, answer: null }, null);
  },
  R1: () => {
    const registry = registryOf();
    register(registry, 'a', 4);
    Reflect.set(registry, 'remove', () => undefined);
    register(registry, 'b', 4);
  },
  R2: () => {
    const registry = registryOf();
    Reflect.set(registry, 'incarnationFor', () => 7);
    inside<Map<number, number>>(registry, 'lastIncarnation').set(4, 9);
    register(registry, 'a', 4);
  },
};

const NOTHING = new Uint8Array();
const never = (): void => undefined;

const RUN = {
  type: 'run',
  domain: '',
  core: 0,
  dispatcher: 0,
  program: '',
  part: 'main',
  cores: [],
  args: [],
  environment: {},
  capabilities: [],
} as const;

/** The part of a kernel that checks, at the end of a step, whether changes were delivered; no further step is due. */
function kernelOfChanges(): { readonly changes: ChangeSink; readonly assertTold: () => void } {
  const changes = new ChangeSink();
  const kernel: object = Object.create(Kernel.prototype);
  for (const [name, value] of Object.entries({
    changes,
    changesTold: 0,
    timerAt: Infinity,
  }))
    Reflect.set(kernel, name, value);
  return { changes, assertTold: () => inside<(now: number) => void>(kernel, 'assertTold')(0) };
}

function request() {
  const op = '1.1.1';
  return {
    type: 'round_request',
    op,
    view: 1,
    phase: PHASES.commit,
    kind: 0,
    below: [],
    payload: new Uint8Array(),
  } as const;
}

/** A core in a round whose action does this to its own part. */
function roundsOf(act: (node: { ownVote: boolean }) => void, timers = new TimerQueue(), takesPart = true): Rounds {
  const host = {
    self: 5,
    view: 1,
    takesPart,
    cores: 8,
    sink: new Outbox('off'),
    timers,
    mayAsk: () => true,
    isSilent: () => false,
  };
  const rounds = new Rounds({ ...host, send: () => null } as never, () => () => undefined);
  const own = inside<(node: object, act: () => void, deadline: number, now: number) => void>(rounds, 'act');
  Reflect.set(rounds, 'act', (node: { ownVote: boolean }, _act: unknown, deadline: number, now: number) =>
    own(node, () => act(node), deadline, now),
  );
  return rounds;
}

function registryOf(): Registry {
  const endpoint = { timers: new TimerQueue(), rename: () => undefined, sendTo: () => undefined };
  const config = { expectedCores: 8, maxCores: 8, machineText: '{}', settingsFor: () => '{}' };
  return new Registry(config, endpoint as never, new Outbox<never>('off'), () => undefined);
}

function register(registry: Registry, instance: string, core: number): void {
  const peer = { id: 70_000, instance, incarnation: 0, link: 0, certified: null };
  registry.register(
    peer as never,
    { core, incarnation: 0, address: '', gone_cores: [], gone_incarnations: [] } as never,
    0,
  );
}

describe('a breach of an invariant that every process asserts', () => {
  test.each(Object.entries(BREACHES))('%s ends in its failure', (name, breach) => {
    let thrown: unknown;
    try {
      breach();
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof AssertionFailure)) throw thrown;
    expect(thrown).toMatchObject({ invariant: name });
  });

  test('is tried for every row of the table that says so', () => {
    const cheap = Object.entries(INVARIANTS).flatMap(([name, { seen }]) => (/\bcheap\b/.test(seen) ? [name] : []));
    expect(cheap.sort()).toEqual(Object.keys(BREACHES).sort());
  });

  test('CS1: changes that wait, and no step that is due', () => {
    const { changes, assertTold } = kernelOfChanges();
    changes.note({ kind: 'freed', address: 0, size: 4096 });
    expect(assertTold).toThrow('CS1: changes of capabilities wait, and the next step is due at Infinity');
  });
});
