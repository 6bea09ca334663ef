import { expect, test } from '@jest/globals';
import type { Simulation } from '@mk/sim/engine/simulation';
import { CapabilityScript } from '../support/capability-script.ts';

/*
 * Core 0 dies when core 2 was marked and core 1 was not. Core 1's domains object while core 2 tries to finish the
 * revoke, and core 1, the lowest holder, becomes the new owner: the revoke is void, and whatever cores 2 and 3 had
 * begun of it ends.
 */
test('a dead core’s revoke that met a new owner is given up: nothing stays frozen, and the new owner can revoke', () => {
  const script = new CapabilityScript();
  script.run(`
    cores 4
    tree 0 2 1
    alloc 0 16 ram
    send ram 1
    send ram 2
    slow 2>1 15000ms
    begin lost revoke ram
    run 1ms
    crash 0`);
  const { simulation } = script as unknown as { readonly simulation: Simulation };
  const capops = [1, 2, 3].map((core) => simulation.node(core).kernel!.services.capops);
  const { subscribers } = capops[0]!.shared;
  const { ask } = subscribers;
  subscribers.ask = (_op, _target, consents) => consents(false);
  const held = script.run(`
    run 10ms
    heal
    run 20000ms
    holders`);
  expect(held).toMatch(/core 1 holds RAM\+16 owner 1\ncore 2 holds RAM\+16 owner 1\ncore 3 holds nothing/);
  expect(capops.map(({ revokes }) => revokes.parts.size)).toEqual([0, 0, 0]);
  subscribers.ask = ask;
  const revoked = script.run(`
    begin again revoke ram@1
    wait again
    holders`);
  expect(revoked).toMatch(/again: ok\ncore 0 holds nothing\ncore 1 holds RAM\+16 owner 1\ncore 2 holds nothing/);
});
