import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Thread } from '../../src/threads/thread.ts';
import type { Threads } from '../../src/threads/threads.ts';
import { TestHost } from '../runtime/test-host.ts';
import { type Op, runNaively } from './naive-threads.ts';

/** The same script on the real library. */
class Scripted {
  readonly log: string[] = [];
  private readonly mutexes;
  private readonly semaphores;

  constructor(
    private readonly host: TestHost,
    private readonly threads: Threads,
  ) {
    this.mutexes = [0, 1].map((n) => threads.mutex(`${n}`));
    this.semaphores = [0, 1].map((n) => threads.semaphore(0, `${n}`));
  }

  start(name: string, ops: readonly Op[]): Thread<void> {
    return this.threads.spawn(name, async (self) => {
      const children: { thread: Thread<void>; joined: boolean }[] = [];
      for (const [i, op] of ops.entries()) {
        this.log.push(`${name} ${i}@${this.host.time}`);
        await this.perform(name, op, self as Thread, children);
      }
    });
  }

  private async perform(name: string, op: Op, self: Thread, children: { thread: Thread<void>; joined: boolean }[]) {
    switch (op.op) {
      case 'yield':
        return this.threads.yield();
      case 'lock':
        return this.mutexes[op.mutex]!.holder === self ? undefined : this.mutexes[op.mutex]!.lock();
      case 'unlock':
        return this.mutexes[op.mutex]!.holder === self ? this.mutexes[op.mutex]!.unlock() : undefined;
      case 'wait':
        return this.semaphores[op.semaphore]!.wait();
      case 'post':
        return this.semaphores[op.semaphore]!.post();
      case 'sleep':
        return this.threads.sleep(op.ns);
      case 'spawn':
        return void children.push({ thread: this.start(`${name}.${children.length}`, op.body), joined: false });
      case 'join': {
        const child = children.find((one) => !one.joined || one.thread.state === 'ended');
        if (child === undefined) return undefined;
        child.joined = true;
        return child.thread.join();
      }
    }
  }
}

const simple: fc.Arbitrary<Op> = fc.oneof(
  fc.constant<Op>({ op: 'yield' }),
  fc.record({ op: fc.constantFrom('lock' as const, 'unlock' as const), mutex: fc.nat(1) }),
  fc.record({ op: fc.constantFrom('wait' as const, 'post' as const), semaphore: fc.nat(1) }),
  fc.record({ op: fc.constant('sleep' as const), ns: fc.constantFrom(1, 2, 5) }),
  fc.constant<Op>({ op: 'join' }),
);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 8, arbitrary: simple },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('spawn' as const), body: fc.array(simple, { maxLength: 6 }) }) },
);
const bodies = fc.array(fc.array(op, { maxLength: 12 }), { minLength: 1, maxLength: 5 });

/** What one run of the library does; an ended thread that held a mutex ends the program, as it must. */
async function run(script: readonly (readonly Op[])[]): Promise<{ log: readonly string[]; failed: boolean }> {
  const host = new TestHost();
  const scripted = new Scripted(host, host.runtime.threads);
  script.forEach((ops, i) => scripted.start(`t${i}`, ops));
  await host.run();
  return { log: scripted.log, failed: host.failure !== null };
}

describe('threads against a naive model', () => {
  test('do the same in the same order, and twice the same', async () => {
    await fc.assert(
      fc.asyncProperty(bodies, async (script) => {
        const [first, second] = [await run(script), await run(script)];
        expect(second).toEqual(first);
        const model = runNaively(script);
        const held = model.findIndex((line) => line.includes('holds'));
        if (held < 0) expect(first.log).toEqual(model);
        else {
          expect(first.failed).toBe(true);
          expect(first.log).toEqual(model.slice(0, held));
        }
      }),
      { numRuns: 120 },
    );
  });
});
