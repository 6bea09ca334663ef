import { expect, test } from '@jest/globals';
import { Capabilities } from '../../src/capabilities/capabilities.ts';
import { TestHost } from '../runtime/test-host.ts';

const MS = 1_000_000;

/** Asks for something that another operation blocks for ever; returns when the caller gave up, and with what error. */
async function blocked(begin: (capabilities: Capabilities) => Promise<unknown>): Promise<readonly [string, number]> {
  const host = new TestHost();
  let end: readonly [string, number] = ['nothing', -1];
  begin(new Capabilities(host.runtime)).catch((error: Error) => (end = [error.name, host.time]));
  let calls = await host.turn();
  for (let turns = 0; end[0] === 'nothing' && turns < 1_000; turns += 1) {
    // Each try takes a millisecond.
    host.time += calls.length > 0 ? MS : Math.max(0, host.runtime.timers.next - host.time);
    const refused = calls.map(([call]) => ({ type: 'reply', call, error: 'BUSY', text: '', value: null }) as const);
    calls = await host.turn(refused);
  }
  return end;
}

const WAYS: readonly (readonly [string, (c: Capabilities, options: object) => Promise<unknown>])[] = [
  ['alloc', (c, options) => c.alloc(4096, options)],
  ['copy', (c, options) => c.copy(7, options)],
  ['revoke', (c, options) => c.revoke(7, options)],
];

test.each(WAYS)(
  '%s: what another operation blocks is tried again until its caller’s time is over, not longer',
  async (_, begin) => {
    expect(await blocked((c) => begin(c, { timeoutNs: 40 * MS }))).toEqual(['DEADLINE_EXCEEDED', 40 * MS]);
    expect(await blocked((c) => begin(c, { timeoutNs: 60_000 * MS, deadline: 30 * MS }))).toEqual([
      'DEADLINE_EXCEEDED',
      30 * MS,
    ]);
  },
);

test.each(WAYS)(
  '%s: without a time it ends in the other operation’s error after about ten seconds',
  async (_, begin) => {
    const [name, at] = await blocked((c) => begin(c, {}));
    expect(name).toBe('BUSY');
    expect(at).toBeGreaterThan(9_000 * MS);
    expect(at).toBeLessThanOrEqual(10_000 * MS);
  },
);
