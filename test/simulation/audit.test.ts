import { beforeEach, describe, expect, test } from '@jest/globals';
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import { place } from '@mk/node-kernel/capability/invocations/placement';
import { audit, describeAudit, isSoundAudit } from '@mk/launcher/client/audit';
import type { Cores } from '@mk/launcher/client/cores';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';

/** What `mkctl audit` says about a cluster with something wrong: the command's own code over simulated cores. */
const CORES = 3;
const PAGE = 4096;
let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation({
    seed: 'audit',
    cores: CORES,
    machine: flatMachine(),
    hmac: hmacSha256,
    logLevel: 'off',
    settings: JSON.stringify({ ramBytes: 1 << 20 }),
  });
  simulation.start();
  simulation.run(5e9, () =>
    [0, 1, 2].every((core) => simulation.node(core).kernel?.monitor.context.members.length === CORES - 1),
  );
});

/** A cluster as mkctl sees it. */
const cluster: Cores = {
  cores: () =>
    Promise.resolve(
      [0, 1, 2].map((core) => ({
        core,
        incarnation: 1,
        address: '',
        up: true,
        links: CORES - 1,
        package: 0,
        host: '',
      })),
    ),
  core: (core, verb, args = {}) => Promise.resolve(ask(core, verb, args) as never),
};

function ask(core: number, verb: string, args: object = {}): unknown {
  let answer: unknown = null;
  simulation.control(
    core,
    verb,
    args as Readonly<Record<string, unknown>>,
    (reply) => (answer = reply.ok ? reply.value : reply.error),
  );
  simulation.run(simulation.now + 1e9, () => answer !== null);
  return answer;
}

/** A capability of 16 pages on core 0, and a copy on core 1. */
function shareRam(): { readonly address: number } {
  const domains = [0, 1].map((core) => (ask(core, 'domain_create', { cnodes: 1 }) as { domain: number }).domain);
  const { address } = ask(0, 'cap_alloc', { domain: domains[0], bytes: 16 * PAGE }) as { address: number };
  ask(0, 'cap_send', { domain: domains[0], source: address, core: 1, to: domains[1] });
  const { state } = simulation.node(1).kernel!.cpuDriver;
  return [...state.database.groups()].find(({ capability }) => capability.type === 'RAM')!.capability;
}

const stateOf = (core: number) => simulation.node(core).kernel!.cpuDriver.state;

describe('an audit of all cores', () => {
  test('says that every invariant holds', async () => {
    shareRam();
    const report = await audit(cluster);
    expect(report).toMatchObject({ cores: CORES, quiet: true, violations: [] });
    expect(describeAudit(report)).toEqual([
      expect.stringMatching(/^\d+ capabilities on 3 cores: every invariant holds$/),
    ]);
  });

  test('C1: names a capability on whose owner its holders disagree, and who they are', async () => {
    const ram = shareRam();
    const group = stateOf(1).database.find(makeCapability('RAM', ram.address, 16 * PAGE))!;
    group.owner = 2;
    const [row] = describeAudit(await audit(cluster));
    expect(row).toBe(`C1  RAM[0x${ram.address.toString(16)}+65536] on cores 0, 1: copies name the owners 0, 2`);
  });

  test('C2: names what overlaps, and on which cores', async () => {
    const ram = shareRam();
    const slot = stateOf(2).kernelSlots.freeSlot()!;
    place(stateOf(2), slot, makeCapability('RAM', ram.address + PAGE, 16 * PAGE), { owner: 2, relations: 0 });
    const rows = describeAudit(await audit(cluster));
    expect(rows.find((row) => row.startsWith('C2'))).toMatch(
      /^C2 {2}RAM\[0x[0-9a-f]+\+65536\] on cores 0, 1, 2: overlaps RAM\[0x[0-9a-f]+\+65536\], which it does not descend from$/,
    );
  });

  test('checks what is there, and names what is not', async () => {
    shareRam();
    const absent = () => Promise.resolve([{ core: 2, why: 'it hangs' }]);
    const report = await audit({ ...cluster, absent });
    expect(report).toMatchObject({ cores: CORES - 1, quiet: true, violations: [], absent: [{ core: 2 }] });
    expect(isSoundAudit(report)).toBe(false);
    expect(describeAudit(report)).toContain('core 2 is not checked: it hangs');
  });

  test('a core that does not answer is named, and the others are checked', async () => {
    shareRam();
    const silent: Cores = {
      cores: () => cluster.cores(),
      core: (core, verb, args) =>
        core === 1 ? Promise.reject(new Error('core 1: TIMEOUT')) : cluster.core(core, verb, args),
    };
    const report = await audit(silent);
    expect(report).toMatchObject({ cores: CORES - 1, violations: [], absent: [{ core: 1, why: 'core 1: TIMEOUT' }] });
  });

  test('memory that went with a core’s earlier life is a loss, and no leak of who lives', async () => {
    shareRam();
    stateOf(2).ram.allocate(4 * PAGE);
    const rows = await cluster.cores();
    const reborn = {
      ...cluster,
      cores: () => Promise.resolve(rows.map((row) => ({ ...row, incarnation: row.core === 1 ? 2 : 1 }))),
    };
    const report = await audit(reborn);
    expect(report).toMatchObject({ violations: [], losses: [{ memory: 'leaked', cores: [2] }], absent: [] });
    expect(isSoundAudit(report)).toBe(true);
    expect(describeAudit(report)).toEqual([
      'not judged: 1 piece of memory is held by nobody; the crashed core may have had the only capability to it (core 1 (incarnation 2))',
      expect.stringMatching(/every invariant holds where it can be judged$/),
    ]);
  });

  test('what others hold of a core’s earlier life is not judged, and what cores that never crashed hold still is', async () => {
    const ram = shareRam();
    simulation.crash(0);
    simulation.startNode(0);
    simulation.run(simulation.now + 5e9, () => simulation.node(0).kernel!.monitor.context.members.length === CORES - 1);
    simulation.run(simulation.now + 1e9, () => false); // until its reclaims end
    // Left over from the view that dropped it: core 1 has a copy that the new core 0 knows nothing of.
    const stale = makeCapability('RAM', ram.address + 32 * PAGE, 4 * PAGE);
    place(stateOf(1), stateOf(1).kernelSlots.freeSlot()!, stale, { owner: 0, relations: 0 });
    const range = stateOf(2).ram.allocate(4 * PAGE)!;
    const other = makeCapability('RAM', range.address, 4 * PAGE);
    for (const core of [1, 2])
      place(stateOf(core), stateOf(core).kernelSlots.freeSlot()!, other, { owner: core, relations: 0 });

    const rows = (await cluster.cores()).map((row) => ({ ...row, incarnation: row.core === 0 ? 2 : 1 }));
    const report = await audit({ ...cluster, cores: () => Promise.resolve(rows) });
    const name = `RAM[0x${range.address.toString(16)}+${4 * PAGE}]`;
    expect(report.violations.map(({ what }) => what)).toContain(name);
    const held = report.losses.filter(({ range: at }) => at?.address === stale.address);
    expect(held.length).toBeGreaterThan(0);
    expect(report.losses.map(({ why, of }) => ({ why, of }))).toEqual(
      report.losses.map(() => ({ why: 'earlier_life', of: 0 })),
    );
    expect(isSoundAudit(report)).toBe(false);
    expect(describeAudit(report).find((row) => row.startsWith('not judged'))).toMatch(
      /^not judged, for core 0 \(incarnation 2\) has restarted: \d+ findings? contradicts? what others still hold of the memory of its earlier life/,
    );
  });

  test('says which cores are not at rest, while it waits for them', async () => {
    let describe = (): string | Promise<string> => '';
    const waiting: Cores['waiting'] = (what, call) => {
      describe = what;
      return call();
    };
    const told = new Set<string>();
    const only = 'core 1, where capabilities are still changing (audit)';
    const core: Cores['core'] = async (at, verb, args) => {
      const answer = (await cluster.core(at, verb, args)) as object;
      told.add(await describe());
      return (at === 1 && !told.has(only) ? { ...answer, busy: true } : answer) as never;
    };
    expect(await audit({ ...cluster, core, waiting }, 60_000)).toMatchObject({ quiet: true });
    expect(told).toContain(only);
    const neverQuiet: Cores['core'] = async (...asked) =>
      ({ ...((await core(...asked)) as object), busy: true }) as never;
    expect(await audit({ ...cluster, core: neverQuiet, waiting }, 50)).toMatchObject({ quiet: false });
  });

  test('C5: names memory that nobody has any more', async () => {
    shareRam();
    const range = stateOf(2).ram.allocate(4 * PAGE)!;
    const rows = describeAudit(await audit(cluster));
    expect(rows[0]).toBe(
      `C5  0x${range.address.toString(16)}+${4 * PAGE} on core 2: leaked: neither free nor covered by a capability`,
    );
    expect(rows.at(-1)).toMatch(/1 violations$/);
  });
});
