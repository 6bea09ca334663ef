import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { ControlReply } from '@mk/monitor-proto/step';
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import { encodeCapability } from '@mk/node-kernel/capability/model/capability-codec';
import type { Kernel } from '@mk/node-kernel/kernel';
import { type Operation, wait } from '@mk/node-kernel/monitor/operations';
import { Meter } from '@mk/node-kernel/monitor/conduct/meter';
import type { Simulation } from '@mk/sim/engine/simulation';
import { quickSimulation } from '../support/quick-simulation.ts';

/*
 * A core's work for others is bounded for each of them: one that keeps asking, and lets nothing end, uses up only its
 * own share. And whoever asks hears how it ended.
 */
const ROGUE = 3;
const PAGE = 4096;
const MEMORY = 1 << 24;
let simulation: Simulation;

function kernelOf(core: number): Kernel {
  const { kernel } = simulation.node(core);
  if (kernel === null) throw new Error(`core ${core} does not run`);
  return kernel;
}

function ask(core: number, verb: string, args: Readonly<Record<string, unknown>>): ControlReply {
  let answer: ControlReply | undefined;
  simulation.control(core, verb, args, (reply) => (answer = reply));
  simulation.run(simulation.now + 60 * SECOND, () => answer !== undefined);
  if (answer === undefined) throw new Error(`${verb} was not answered`);
  return answer;
}

function valueOf(reply: ControlReply, name: string): number {
  if (!reply.ok) throw new Error(reply.text);
  return Number(new Map(Object.entries(Object(reply.value))).get(name));
}

/** Counts the answers that a core gets, by kind of message and error; it answers no round and takes no copy. */
function muffle(core: number): Map<string, number> {
  const heard = new Map<string, number>();
  const { monitor } = kernelOf(core);
  const { deliver } = monitor;
  jest.spyOn(monitor, 'deliver').mockImplementation((peer, message, now) => {
    if ('error' in message) {
      const kind = `${message.type} ${message.error}`;
      heard.set(kind, (heard.get(kind) ?? 0) + 1);
    }
    if (message.type !== 'round_request' && message.type !== 'cap_receive_request')
      deliver.call(monitor, peer, message, now);
  });
  return heard;
}

/** Sends that many messages to core 0, as fast as the channel takes them. */
function say(core: number, count: number, make: (op: string) => Message): void {
  const { context } = kernelOf(core).monitor;
  let said = 0;
  while (said < count) {
    for (let burst = 0; burst < 256 && said < count; burst += 1) {
      if (context.send(0, make(context.operations.nextId())) !== null) break;
      said += 1;
    }
    simulation.control(core, 'ping', { core: 0, count: 1 }, () => undefined); // a step in which it is sent
    simulation.run(simulation.now + MILLISECOND);
  }
}

beforeEach(() => {
  const settings = JSON.stringify({ ramBytes: MEMORY, quarantine: 0 });
  simulation = quickSimulation({ seed: 'shares', cores: 4, logLevel: 'off', settings });
  simulation.start();
  simulation.run(30 * SECOND, () =>
    [0, 1, 2, 3].every((core) => simulation.node(core).kernel?.monitor.context.members.length === 3),
  );
});

afterEach(() => void jest.restoreAllMocks());

describe('a core that never lets end what it asks for', () => {
  test('takes nothing of what the core that it asks may have of its own', () => {
    const domains = [0, 2, ROGUE].map((core) =>
      valueOf(ask(core, 'domain_create', { cnodes: 1, memory: 64 * PAGE }), 'domain'),
    );
    const [domain, second, third] = domains;
    const source = valueOf(ask(0, 'cap_alloc', { domain, bytes: PAGE }), 'address');
    const other = valueOf(ask(0, 'cap_alloc', { domain, bytes: PAGE }), 'address');
    ask(0, 'cap_send', { domain, source, core: ROGUE, to: third });
    const { capability } = [...kernelOf(ROGUE).cpuDriver.state.database.groups()].find(
      ({ capability: { address } }) => address < MEMORY,
    )!;
    const heard = muffle(ROGUE);
    const { view } = kernelOf(ROGUE).monitor.context;
    const cap = encodeCapability(capability);
    say(ROGUE, limit('operationsPerAsker') + 100, (op) => {
      return { type: 'cap_copy_request', op, view, cap, core: ROGUE, domain: Number(third) };
    });
    simulation.run(simulation.now + SECOND);
    expect(heard.get('cap_copy_reply 8')).toBeGreaterThanOrEqual(100);
    expect(ask(0, 'cap_send', { domain, source: other, core: 2, to: second })).toMatchObject({ ok: true });
  });

  test('has no more of its claims looked into at once than it may send', () => {
    const heard = muffle(ROGUE);
    const { context } = kernelOf(ROGUE).monitor;
    const { shared } = kernelOf(0).services.capops;
    const claimed = makeCapability('RAM', 2 * MEMORY + PAGE, PAGE);
    const endless = (): Operation<void> => wait({ arm: () => () => undefined });
    for (let left = limit('arrivalsPerSender') - 1; left > 0; left -= 1)
      shared.lookInto('receive', claimed, ROGUE, endless, simulation.now, () => undefined);
    const before = kernelOf(0).monitor.context.operations.size;
    say(ROGUE, 5, (op) => {
      const cap = encodeCapability(claimed);
      return { type: 'cap_receive_request', op, view: context.view, cap, owner: ROGUE, relations: 0, domain: 1 };
    });
    expect([heard.get('cap_receive_reply 8'), kernelOf(0).monitor.context.operations.size]).toEqual([4, before + 1]);
    shared.lookInto('receive', claimed, 2, endless, simulation.now, () => undefined);
    expect(kernelOf(0).monitor.context.operations.size).toBe(before + 2);
  });
});

describe('a request that no service gets to see is answered', () => {
  test('beyond those that may wait', () => {
    const heard = muffle(2);
    jest.spyOn(Meter.prototype, 'ask').mockReturnValue('held');
    jest.spyOn(Meter.prototype, 'takeToken').mockReturnValue(false);
    const { context } = kernelOf(2).monitor;
    say(2, limit('requestsHeld') + 3, (op) => {
      return {
        type: 'cap_retrieve_request',
        op,
        view: context.view,
        cap: encodeCapability(makeCapability('RAM', 0, PAGE)),
      };
    });
    expect(heard.get('request_refused 8')).toBe(3);
    expect(kernelOf(2).monitor.context.operations.size).toBe(0);
  });

  test('in a name that is not the asker’s', () => {
    const heard = muffle(ROGUE);
    const { context } = kernelOf(ROGUE).monitor;
    say(ROGUE, 2, () => {
      const cap = encodeCapability(makeCapability('RAM', 0, PAGE));
      return { type: 'cap_move_request', op: '2.1.5', view: context.view, cap, relations: 0 };
    });
    expect(heard.get('request_refused 10')).toBe(2);
  });
});

test('an operation whose request was not served ends in the reason', () => {
  const { monitor, services } = kernelOf(2);
  const { exchange } = services.capops.shared;
  const { context } = monitor;
  const op = context.operations.nextId();
  const cap = encodeCapability(makeCapability('RAM', 0, PAGE));
  let outcome: unknown;
  const request = { type: 'cap_retrieve_request', op, view: context.view, cap } as const;
  jest.spyOn(Meter.prototype, 'ask').mockReturnValue('held');
  jest.spyOn(Meter.prototype, 'takeToken').mockReturnValue(false);
  say(2, limit('requestsHeld'), (id) => ({ ...request, op: id }));
  context.operations.start(op, exchange.ask(0, request, 'cap_retrieve_reply'), simulation.now, (told) => {
    outcome = told;
  });
  say(2, 1, (id) => ({ ...request, op: id }));
  expect(outcome).toMatchObject({ ok: false, error: 'TOO_MANY_OPERATIONS' });
});
