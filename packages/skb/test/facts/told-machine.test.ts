import { expect, test } from '@jest/globals';
import { parseMachineYaml } from '@mk/machine/yaml';
import type { FactUpdate } from '../../src/engine/skb-engine.ts';
import { FactStore } from '../../src/facts/fact-store.ts';
import { factText } from '../../src/facts/fact.ts';
import { machineFacts } from '../../src/facts/machine-facts.ts';
import { coresIn, ToldMachine } from '../../src/facts/told-machine.ts';
import { hostHopsUpdate, hostsUpdate, hostThreadsUpdate, membershipUpdate } from '../../src/facts/cluster-facts.ts';
import { flatMachine } from '../../src/facts/flat-machine.ts';

const parsed = parseMachineYaml('name: m\npackages: { count: 4, cores: 4 }\n');
if (!parsed.ok) throw new Error(parsed.error);
const machine = parsed.value;
const NOBODY = { refused: () => undefined, leftOut: () => undefined };

test('exactly the cores that the cluster has had are told, and those that join beyond them when they do', async () => {
  const store = new FactStore();
  const told = new ToldMachine(machine, NOBODY);
  const tell = (update: FactUpdate): Promise<unknown> => Promise.resolve(store.apply(update));
  const cores = (): unknown[] => store.list('cpu_thread').map(({ args }) => args[0]);
  told.describe(6, tell);
  expect(cores()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(store.list('package_hops')).toHaveLength(4);
  told.describe(
    coresIn(
      membershipUpdate(
        new Map([
          [0, 1],
          [4, 2],
        ]),
      ),
    ),
    tell,
  );
  expect(cores()).toHaveLength(6);
  told.describe(
    coresIn(
      membershipUpdate(
        new Map([
          [0, 1],
          [15, 1],
        ]),
      ),
    ),
    tell,
  );
  expect(store.list().map(factText).sort()).toEqual(machineFacts(machine).map(factText).sort());
});

test('a fact that no Prolog reads is told of, and nothing passes in silence', async () => {
  const refused: string[] = [];
  const bad = { ...machine, caches: [{ level: 2, bytes: Infinity, groups: [[0, 1]] }] };
  const told = new ToldMachine(bad, { ...NOBODY, refused: (error) => refused.push(error.message) });
  const store = new FactStore();
  told.describe(2, async (update) => store.apply(update));
  await Promise.resolve();
  await Promise.resolve();
  expect(refused).toEqual(['a fact cannot hold Infinity']);
  expect(store.size).toBe(0);
});

test('hosts take the place of packages that were assumed, also of cores that join later', () => {
  const store = new FactStore();
  const told = new ToldMachine(flatMachine(16), NOBODY);
  const tell = (update: FactUpdate): Promise<unknown> => Promise.resolve(store.apply(update));
  const shown = (name: string): string[] => store.list(name).map(factText).sort();
  told.describe(2, tell);
  store.apply(hostHopsUpdate(3));
  for (const [cores, hosts] of [
    [2, ['a', 'b']],
    [6, ['a', 'b', 'c', 'a', 'b', '']],
  ] as const) {
    told.describe(cores, tell);
    store.apply(hostsUpdate(new Map(hosts.map((host, core) => [core, host]))));
    store.apply(hostThreadsUpdate(new Map(hosts.map((host, core) => [core, ['a', 'b', 'c', ''].indexOf(host)]))));
    expect(store.list('cpu_thread')).toHaveLength(cores);
  }
  expect(shown('cpu_thread')).toEqual([
    'cpu_thread(0,0,0,0)',
    'cpu_thread(1,1,0,0)',
    'cpu_thread(2,2,0,0)',
    'cpu_thread(3,0,1,0)',
    'cpu_thread(4,1,1,0)',
    'cpu_thread(5,3,0,0)',
  ]);
  expect(shown('core_host')).toHaveLength(5);
  expect(shown('package_hops')).toHaveLength(9);
  expect(shown('message_cost').some((text) => text.includes('hop_1'))).toBe(true);
});
