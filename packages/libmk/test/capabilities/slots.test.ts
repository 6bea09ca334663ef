import { expect, test } from '@jest/globals';
import { Capabilities } from '../../src/capabilities/capabilities.ts';
import type { Upcall } from '../../src/dispatcher/protocol.ts';
import { TestHost } from '../runtime/test-host.ts';

/** The value or the error's name, when the kernel replies to every call with this error ('': with success). */
async function outcome(host: TestHost, work: Promise<unknown>, error: string): Promise<unknown> {
  let end: { readonly value: unknown } | null = null;
  work.then(
    (value) => (end = { value }),
    ({ name }: Error) => (end = { value: name }),
  );
  for (let calls = await host.turn(); end === null;) {
    const reply = calls.map(([call]): Upcall => ({ type: 'reply', call, error, text: '', value: null }));
    calls = await host.turn(reply);
  }
  return (end as { readonly value: unknown }).value;
}

test.each(['delete', 'identify'] as const)('a slot that %s finds empty is filled again', async (operation) => {
  const host = new TestHost();
  const capabilities = new Capabilities(host.runtime);
  const addresses = new Set<unknown>();
  // A revoke of what they were copied from took them: the library hears of it only when it asks.
  for (let n = 0; n < 600; n += 1) {
    const address = await outcome(host, capabilities.copy(7), '');
    addresses.add(address);
    expect(await outcome(host, capabilities[operation](Number(address)), 'CAPABILITY_NOT_FOUND')).toBe(
      'CAPABILITY_NOT_FOUND',
    );
  }
  expect(addresses.size).toBe(1);
});

test('a slot whose capability could not be deleted, or not be looked at, stays taken', async () => {
  const host = new TestHost();
  const capabilities = new Capabilities(host.runtime);
  const first = await outcome(host, capabilities.copy(7), '');
  for (const operation of ['delete', 'identify'] as const)
    expect(await outcome(host, capabilities[operation](Number(first)), 'PEER_GONE')).toBe('PEER_GONE');
  expect(await outcome(host, capabilities.copy(7), '')).not.toBe(first);
});
