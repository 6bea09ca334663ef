import { describe, expect, test } from '@jest/globals';
import type { PlainValue } from '../../src/dispatcher/plain-value.ts';
import type { Call, Upcall } from '../../src/dispatcher/protocol.ts';
import { SmallAbortController } from '../../src/runtime/cancellation.ts';
import { RemoteThreads, type ThreadHandle } from '../../src/threads/remote-threads.ts';
import { TestHost } from '../runtime/test-host.ts';

/** Dispatchers of one domain, and the kernels between them: each message arrives in the receiver's next turn. */
class Net {
  readonly hosts: TestHost[] = [];
  readonly remotes: RemoteThreads[] = [];
  private readonly due: Upcall[][] = [];
  private readonly gone = new Set<number>();

  constructor(cores: number, run: (core: number, entry: string, state: PlainValue) => Promise<PlainValue>) {
    for (let core = 0; core < cores; core += 1) {
      const host = new TestHost();
      const remote = new RemoteThreads(host.runtime, (entry, state) => run(core, entry, state));
      remote.core = core;
      this.hosts.push(host);
      this.remotes.push(remote);
      this.due.push([]);
    }
  }

  /** A dispatcher is no more; the others are told, after what it had sent. */
  leave(core: number): void {
    this.gone.add(core);
    for (const upcalls of this.due) upcalls.push({ type: 'span_left', core, error: 'PEER_GONE' });
  }

  async run(turns = 30): Promise<void> {
    for (let left = turns; left > 0; left -= 1)
      for (const [core, host] of this.hosts.entries()) {
        if (this.gone.has(core)) continue;
        for (const call of await host.turn(this.due[core]!.splice(0))) this.serve(core, call);
      }
  }

  private serve(from: number, [id, name, args]: Call): void {
    if (name !== 'span_send') return;
    const [to, data] = args as [number, PlainValue];
    if (!this.gone.has(to)) this.due[to]!.push({ type: 'span_message', core: from, data });
    const error = this.gone.has(to) ? 'PEER_UNKNOWN' : '';
    this.due[from]!.push({ type: 'reply', call: id, error, text: '', value: null });
  }
}

/** What the origin keeps for those who wait for its only thread. */
function joinersAt(remote: RemoteThreads): number {
  const { begun } = remote as unknown as { readonly begun: ReadonlyMap<number, { readonly joiners: Set<unknown> }> };
  return [...begun.values()].reduce((sum, { joiners }) => sum + joiners.size, 0);
}

const never = (): Promise<PlainValue> => new Promise(() => undefined);

/** Joins in a thread of its own; what became of it. */
function joining(net: Net, core: number, handle: ThreadHandle, options = {}): { ended: string | null } {
  const told = { ended: null as string | null };
  net.hosts[core]!.runtime.threads.spawn('joiner', () =>
    net.remotes[core]!.join(handle, options).then(
      (value) => void (told.ended = JSON.stringify(value)),
      (error: Error) => void (told.ended = error.name),
    ),
  ).detach();
  return told;
}

describe('a join of a thread that another core began', () => {
  test('that is given up leaves nothing there', async () => {
    const net = new Net(2, never);
    const { handle } = net.remotes[0]!.spawn(0, 'forever', null);
    const { signal, ...controller } = withSignal();
    const ends = [
      joining(net, 1, handle, { timeoutNs: 5 }),
      joining(net, 1, handle, { signal }),
      joining(net, 1, handle),
    ];
    await net.run(4);
    expect(joinersAt(net.remotes[0]!)).toBe(3);
    net.hosts[1]!.time = 10;
    controller.abort();
    await net.run();
    expect(ends.map(({ ended }) => ended)).toEqual(['DEADLINE_EXCEEDED', 'CANCELLED', null]);
    expect(joinersAt(net.remotes[0]!)).toBe(1);
  });

  test('ends with the dispatcher that began it, also one that comes later', async () => {
    const net = new Net(2, never);
    const { handle } = net.remotes[0]!.spawn(0, 'forever', null);
    const early = joining(net, 1, handle);
    await net.run(4);
    net.leave(0);
    await net.run();
    const late = joining(net, 1, handle);
    await net.run();
    expect([early.ended, late.ended]).toEqual(['PEER_GONE', 'PEER_GONE']);
  });

  test('from a dispatcher that is gone is forgotten', async () => {
    const net = new Net(2, never);
    const { handle } = net.remotes[0]!.spawn(0, 'forever', null);
    joining(net, 1, handle);
    await net.run(4);
    net.leave(1);
    await net.run();
    expect(joinersAt(net.remotes[0]!)).toBe(0);
  });
});

test('a thread that moved to a core that was gone by then has ended with it', async () => {
  const net = new Net(3, never);
  const thread = net.remotes[0]!.spawn(1, 'forever', null);
  const told = joining(net, 0, thread.handle);
  await net.run(4);
  net.leave(2);
  await net.run();
  net.hosts[0]!.runtime.resume([
    { type: 'span_message', core: 1, data: { t: 'moved', id: thread.handle.id, core: 2 } },
  ]);
  await net.run();
  expect(told.ended).toBe('PEER_GONE');
});

test('results of threads without a handle are not kept', async () => {
  const net = new Net(2, async (_core, _entry, state) => state);
  const values: unknown[] = [];
  net.hosts[0]!.runtime.threads.spawn('main', async () => {
    for (let n = 0; n < 5; n += 1) values.push(await net.remotes[0]!.spawn(1, 'echo', n).join());
  }).detach();
  await net.run(100);
  expect(values).toEqual([0, 1, 2, 3, 4]);
  expect((net.remotes[0] as unknown as { readonly begun: ReadonlyMap<number, unknown> }).begun.size).toBe(0);
});

function withSignal() {
  const controller = new SmallAbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
