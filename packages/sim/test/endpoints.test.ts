import { describe, expect, test } from '@jest/globals';
import type { Upcall } from '@mk/libmk/dispatcher/protocol';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';

/** Two domains of one core, their system calls, and the upcalls they receive. */
class OneCore {
  readonly upcalls = new Map<number, Upcall[]>();
  private readonly simulation = new Simulation({
    seed: 1,
    cores: 2,
    machine: flatMachine(),
    hmac: fastMac,
    logLevel: 'off',
  });

  constructor() {
    this.simulation.start();
    this.simulation.run(10 * SECOND, () => this.simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false);
    this.kernel.receivers = {
      upcall: (domain, upcall) => void this.upcalls.set(domain, [...(this.upcalls.get(domain) ?? []), upcall]),
    };
  }

  get kernel() {
    return this.simulation.node(0).kernel!;
  }

  domain(): number {
    return (this.ask('domain_create', { cnodes: 1, memory: 64 << 10 }) as { domain: number }).domain;
  }

  /** The answer of a system call, or the name of its error; without the library's retries. */
  call(domain: number, name: string, ...args: unknown[]): unknown {
    let answer: unknown = 'no answer';
    this.kernel.systemCall(domain, { name, args }, this.simulation.now, (result) => {
      answer = result.ok ? result.value : result.error;
    });
    if (answer === 'no answer') this.ask('status', {}); // an event, after which what was begun continues
    if (answer === 'no answer') this.simulation.run(this.simulation.now + SECOND, () => answer !== 'no answer');
    return answer;
  }

  end(domain: number): void {
    this.kernel.services.endpoints.dispatcherGone(this.kernel.cpuDriver.domains.get(domain)!);
  }

  messages(domain: number): readonly Extract<Upcall, { type: 'message' }>[] {
    return (this.upcalls.get(domain) ?? []).filter(({ type }) => type === 'message') as never;
  }

  private ask(verb: string, args: Readonly<Record<string, unknown>>): unknown {
    let value: unknown;
    this.simulation.control(0, verb, args, (reply) => (value = reply.ok ? reply.value : reply));
    this.simulation.run(this.simulation.now + SECOND, () => value !== undefined);
    return value;
  }
}

/** A receiver with an endpoint, and another domain of the core. */
function pair() {
  const core = new OneCore();
  const [receiver, sender] = [core.domain(), core.domain()];
  const { endpoint, address } = core.call(receiver, 'endpoint_create', 7) as { endpoint: number; address: number };
  return { core, receiver, sender, endpoint, address };
}

describe('same-core endpoints', () => {
  test('carry words and a capability to whoever made them, from whoever holds the capability', () => {
    const { core, receiver, sender, endpoint, address } = pair();
    expect(core.call(sender, 'endpoint_send', address, [1])).toBe('CAPABILITY_NOT_FOUND');
    expect(core.call(receiver, 'endpoint_send', address, [1, 2, 3], 1)).toBeNull();
    const [own] = core.messages(receiver);
    expect(own).toMatchObject({ channel: endpoint, words: [1, 2, 3] });
    expect(own!.capabilities).toHaveLength(1);
    expect(
      core.call(
        receiver,
        'endpoint_send',
        address,
        Array.from({ length: 11 }, () => 0),
      ),
    ).toBe('MESSAGE_TOO_LARGE');
    expect(core.call(receiver, 'lrpc', address, [1, 2, 3, 4, 5])).toBe('MESSAGE_TOO_LARGE');
    expect(core.call(receiver, 'endpoint_send', 1, [1])).toBe('NO_SUCH_ENDPOINT');
    expect(core.call(receiver, 'endpoint_create', 7)).toBe('SLOT_IN_USE');
  });

  test('refuse with ENDPOINT_OVERFLOW when nothing is taken, deliver nothing then, and tell when there is room', () => {
    const { core, receiver, endpoint, address } = pair();
    const most = limit('endpointMessages');
    for (let n = 0; n < most; n += 1) expect(core.call(receiver, 'endpoint_send', address, [n])).toBeNull();
    expect(core.call(receiver, 'endpoint_send', address, [most])).toBe('ENDPOINT_OVERFLOW');
    expect(core.messages(receiver).map(({ words }) => words[0])).toEqual(Array.from({ length: most }, (_, n) => n));
    expect(core.call(receiver, 'endpoint_taken', endpoint, most + 1)).toBe('BAD_SYSTEM_CALL');
    expect(core.call(receiver, 'endpoint_taken', endpoint, 1)).toBeNull();
    expect(core.upcalls.get(receiver)!.at(-1)).toEqual({ type: 'writable', channel: address });
    expect(core.call(receiver, 'endpoint_send', address, [most])).toBeNull();
  });

  test('need the right to write, and end with their dispatcher', () => {
    const { core, receiver, address } = pair();
    const invocation = { operation: 'mint', source: { address }, destination: { address: 40 }, rights: 1 | 8 };
    expect(core.call(receiver, 'invoke', invocation)).toBeNull();
    expect(core.call(receiver, 'endpoint_send', 40, [1])).toBe('MISSING_RIGHT');
    core.end(receiver);
    expect(core.call(receiver, 'endpoint_send', address, [1])).toBe('NO_SUCH_ENDPOINT');
    expect(core.kernel.services.endpoints.leftovers()).toEqual([]);
  });

  test('go with the Dispatcher capability that they were made of', () => {
    const { core, receiver, address } = pair();
    const self = core.call(receiver, 'dispatcher_self') as number;
    expect(core.call(receiver, 'invoke', { operation: 'delete', target: { address: self } })).toBeNull();
    expect(core.call(receiver, 'endpoint_send', address, [1])).not.toBeNull();
    expect(core.call(receiver, 'dispatcher_self')).toBe('CAPABILITY_NOT_FOUND');
  });
});
