import type { Nanos } from '@mk/monitor-proto/ids';
import type { Border } from '../../src/dispatcher/border.ts';
import type { PlainValue } from '../../src/dispatcher/plain-value.ts';
import type { Call, CallResult, Upcall } from '../../src/dispatcher/protocol.ts';
import { Runtime } from '../../src/runtime/runtime.ts';

/** A runtime's host in a test: resumes it, drains its microtasks, and collects its calls. The test sets the time. */
export class TestHost implements Border {
  readonly runtime: Runtime;
  time: Nanos = 0;
  more = false;
  failure: { readonly error: string; readonly text: string } | null = null;
  workNs = 0;
  answerNow: (name: string, args: readonly PlainValue[]) => CallResult = () => ({ ok: true, value: null });

  takeFrame(): null {
    return null;
  }

  constructor() {
    this.runtime = new Runtime(this);
    this.runtime.seed('test');
  }

  /** One turn: the calls made by its end. */
  async turn(upcalls: readonly Upcall[] = []): Promise<readonly Call[]> {
    this.more = false;
    this.runtime.resume(upcalls);
    await new Promise((resolve) => setImmediate(resolve));
    return this.runtime.outgoing.splice(0);
  }

  /** Runs turns until nothing is ready and no timer is set, or this many. */
  async run(turns = 10_000): Promise<readonly Call[]> {
    const calls: Call[] = [];
    for (let left = turns; left > 0; left -= 1) {
      calls.push(...(await this.turn()));
      const { next } = this.runtime.timers;
      if (this.more) continue;
      if (next === Infinity) return calls;
      this.time = Math.max(this.time, next);
    }
    return calls;
  }

  attach(): void {
    throw new Error('a test makes its runtime itself');
  }

  callNow(name: string, args: readonly PlainValue[]): CallResult {
    return this.answerNow(name, args);
  }

  now(): Nanos {
    return this.time + this.workNs;
  }

  work(ns: Nanos): void {
    this.workNs += ns;
  }

  wantsMore(): void {
    this.more = true;
  }

  interrupted(): boolean {
    return false;
  }

  fail(error: string, text: string): void {
    this.failure = { error, text };
  }
}
