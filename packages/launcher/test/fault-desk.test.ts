import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { LinkFaults } from '@mk/monitor-proto/link/link-faults';
import type { ActiveRule } from '@mk/monitor-proto/link/rule-state';
import { createPrng } from '@mk/monitor-proto/prng';
import { FaultDesk, type FaultedProcess } from '../src/supervisor/fault-desk.ts';

/** A process that obeys faults, but may hang or be silent. */
class Process implements FaultedProcess {
  state: FaultedProcess['state'] = 'running';
  /** Stopped behind the supervisor's back: requests wait until it continues. */
  stopped = false;
  /** Requests to a stopped process, oldest first. */
  readonly backlog: (() => void)[] = [];
  readonly faults = new LinkFaults({ log: () => undefined, touched: () => undefined, retimed: () => undefined });

  constructor(readonly peer: number) {
    this.faults.configure({ self: peer, capacity: 8, prng: createPrng(peer) });
  }

  get ended(): boolean {
    return this.state === 'ended';
  }

  inForce(): string[] {
    const reply = this.faults.control({ verb: 'faults', args: {} }, clock);
    return (reply as unknown as { value: ActiveRule[] }).value.map(({ rule }) => rule.id);
  }
}

let clock = 0;

function deskFor(processes: Process[]) {
  return new FaultDesk<Process>({
    processes: () => processes.map((process) => ({ peer: process.peer, process })),
    nowNs: () => clock,
    note: () => undefined,
    ask: async (process, verb, args) => {
      const run = () => process.faults.control({ verb, args: args as Record<string, unknown> }, clock);
      if (process.stopped || process.state === 'hung') {
        process.backlog.push(run);
        throw new Error('TIMEOUT');
      }
      const reply = run()!;
      if (!reply.ok) throw new Error(reply.error);
      return reply.value as never;
    },
  });
}

function cluster() {
  clock = 0;
  const processes = [new Process(0), new Process(1), new Process(2), new Process(SKB_PEER)];
  return { processes, desk: deskFor(processes) };
}

const slow = (id: string, from: number[] | 'all', to: number[] | 'all', forNs: number | null = null): FaultRule => ({
  kind: 'link',
  id,
  for_ns: forNs,
  from,
  to,
  both: true,
  settings: { delay_ns: 1 },
});
const cut: FaultRule = { kind: 'isolate', id: 'cut', for_ns: null, cores: [2] };

afterEach(() => {
  jest.useRealTimers();
});

test('a rule is told to those whose frames it concerns, both ends of a link with the SKB included', async () => {
  const { desk, processes } = cluster();
  expect(await desk.add(slow('a', [1], [SKB_PEER]))).toEqual({ id: 'a', missing: [] });
  expect(processes.map((process) => process.inForce())).toEqual([[], ['a'], [], ['a']]);
});

describe('a process that hangs', () => {
  test('is named when a rule is given and when it is healed, and wakes to what is in force then', async () => {
    const { desk, processes } = cluster();
    const hung = processes[2]!;
    await desk.add(cut);
    hung.state = 'hung';
    expect(await desk.add(slow('a', 'all', 'all'))).toMatchObject({ missing: [2] });
    expect(await desk.heal({ id: 'cut' })).toEqual({ healed: ['cut'], missing: [2] });
    expect(hung.inForce()).toEqual(['cut']);
    hung.state = 'running';
    await desk.bring(2, hung);
    expect(hung.inForce()).toEqual(['a']);
  });

  test('is not named for what does not concern it', async () => {
    const { desk, processes } = cluster();
    processes[2]!.state = 'hung';
    expect(await desk.add(slow('a', [0], [1]))).toMatchObject({ missing: [] });
  });

  test('that was stopped from outside is told as soon as it answers, and old requests that it reads then bring nothing back', async () => {
    jest.useFakeTimers();
    const { desk, processes } = cluster();
    const stopped = processes[2]!;
    stopped.stopped = true;
    expect(await desk.add(cut)).toMatchObject({ missing: [2] });
    expect(await desk.heal('all')).toEqual({ healed: ['cut'], missing: [2] });
    await jest.advanceTimersByTimeAsync(60_000);
    stopped.stopped = false;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(stopped.inForce()).toEqual([]);
    for (const request of stopped.backlog) request();
    expect(stopped.inForce()).toEqual([]);
    desk.close();
  });
});

describe('a process that restarts', () => {
  test('gets what concerns it, without the pairs that were healed and with the time that is left', async () => {
    const { desk, processes } = cluster();
    await desk.add(slow('wide', 'all', 'all'));
    await desk.add(slow('timed', [1], [0], 5 * SECOND));
    await desk.add(slow('other', [0], [2]));
    await desk.heal({ from: 1, to: 2 });
    clock = 2 * SECOND;
    const next = new Process(1);
    processes[1] = next;
    await desk.bring(1, next);
    expect(next.inForce()).toEqual(['wide', 'timed']);
    expect(next.faults.verdict(2, clock, 64, 0).kind).toBe('pass');
    expect(next.faults.verdict(0, clock, 64, 0).kind).toBe('deliver_after');
    clock = 5 * SECOND;
    expect(next.inForce()).toEqual(['wide']);
  });

  test('gets it when it is ready, whoever started it', async () => {
    jest.useFakeTimers();
    const { desk, processes } = cluster();
    await desk.add(cut);
    const next = new Process(2);
    next.state = 'listening';
    processes[2] = next;
    expect(await desk.add(slow('a', [2], [1]))).toMatchObject({ missing: [2] });
    await jest.advanceTimersByTimeAsync(5000);
    next.state = 'running';
    await jest.advanceTimersByTimeAsync(10_000);
    expect(next.inForce()).toEqual(['cut', 'a']);
    desk.close();
  });
});

test('a rule about a core that there is not, about nothing, or of a link to itself is refused', async () => {
  const { desk } = cluster();
  await expect(desk.add(slow('a', [0], [7]))).rejects.toThrow('there is no core 7');
  await expect(desk.add({ ...slow('a', [0], [1]), settings: {} })).rejects.toThrow('set at least one of delay');
  await expect(desk.add(slow('a', [SKB_PEER], [SKB_PEER]))).rejects.toThrow('nobody has a link to itself');
});
