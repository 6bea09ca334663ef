import { expect, test } from '@jest/globals';
import { SECOND } from '@mk/monitor-proto/ids';
import type { Change } from '@mk/node-kernel/capability/model/changes';
import type { CpuDriver } from '@mk/node-kernel/cpu-driver/cpu-driver';
import type { Service } from '@mk/node-kernel/monitor/service';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';

/** Methods that take changes. */
type Takes<T> = Extract<keyof T, `take${string}`>;
/** Two cores, and what each reported to its services about capabilities, by step. */
function watchedMachine() {
  const simulation = new Simulation({ seed: 1, cores: 2, machine: flatMachine(), hmac: fastMac, logLevel: 'off' });
  simulation.start();
  simulation.run(2 * SECOND);
  const told: { readonly core: number; readonly step: number; readonly changes: readonly Change[] }[] = [];
  for (const core of [0, 1]) {
    const spy: Service = {
      capabilityChanged: (changes) => void told.push({ core, step: simulation.steps, changes }),
    };
    (simulation.node(core).kernel!.table.told.capabilityChanged as Service[]).push(spy);
  }
  const ask = (core: number, verb: string, args: object = {}): unknown => {
    let value: unknown;
    simulation.control(core, verb, { ...args }, (reply) => {
      if (!reply.ok) throw new Error(`${verb}: ${reply.error} ${reply.text}`);
      value = reply.value;
    });
    simulation.run(simulation.now + SECOND);
    return value;
  };
  const kinds = (core: number): string[] =>
    told.filter((row) => row.core === core).flatMap(({ changes }) => changes.map(({ kind }) => kind));
  return { simulation, told, ask, kinds };
}

test('every change of a capability reaches the services, once and in the step in which it happened', () => {
  const { simulation, told, ask, kinds } = watchedMachine();
  const { domain } = ask(0, 'domain_create', { memory: 64 * 1024 }) as { domain: number };
  const created = kinds(0);
  // The root, two CNodes, the root's own copy, and the memory: callers used to omit these.
  expect(created).toEqual(['created', 'created', 'created', 'created', 'created']);
  expect(new Set(told.map(({ step }) => step)).size).toBe(told.length);

  const { address } = ask(0, 'cap_alloc', { domain, bytes: 4096 }) as { address: number };
  expect(kinds(0).slice(created.length)).toEqual(['created']);

  const { domain: other } = ask(1, 'domain_create') as { domain: number };
  told.length = 0;
  ask(0, 'cap_send', { domain, source: address, core: 1, to: other, give_away: 1 });
  expect(kinds(0)).toEqual(['deleted']);
  expect(kinds(1)).toEqual(['created']);

  told.length = 0;
  ask(0, 'cap_revoke', { domain, target: 1 });
  ask(0, 'cap_delete', { domain, target: 1 });
  expect(kinds(0)).toEqual(expect.arrayContaining(['deleted', 'destroyed', 'freed']));
  for (const core of [0, 1]) expect(simulation.node(core).kernel!.cpuDriver.state.changes.pending).toBe(false);
});

test('neither operations nor services can take changes out of the sink, to drop them: it does not compile', () => {
  const nobodyTakes: [Takes<CpuDriver>, Takes<CpuDriver['state']['changes']>] extends [never, never] ? true : never =
    true;
  expect(nobodyTakes).toBe(true);
});
