import { describe, expect, test } from '@jest/globals';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Resume } from '@mk/node-kernel/monitor/operations';
import { Faults, type FaultsPort } from '@mk/node-kernel/monitor/memory/faults';
import { bareProgram, ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';

/*
 * An honest core's message about a page may arrive after its right to the page was taken back: it hears so, and no
 * bytes are lost. Here the page is free, and the right to use it is a translation that was handed out.
 */
const [HOME, USER] = [0, 1] as const;

function scene() {
  const s = new ProgramSimulation({ seed: 1, cores: 2 });
  const [home, user] = [HOME, USER].map((core) => s.simulation.node(core).kernel!.services) as [Services, Services];
  const page = home.capops.shared.state.memory.size / PAGE_BYTES - 1;
  const { told } = home.addressSpaces as unknown as { readonly told: Set<number> };
  const access = (need: 'read' | 'write'): string | null => {
    let outcome: string | null | undefined;
    user.pages.into(({ cache }) => cache.access(page, need, (error) => (outcome = error)));
    s.until(() => outcome !== undefined);
    return outcome ?? null;
  };
  const forged = (): number =>
    s
      .value<{ offences: readonly { offence: string; count: number }[] }>(HOME, 'offences')
      .offences.reduce((sum, { offence, count }) => sum + (offence === 'forged' ? count : 0), 0);
  return { s, home, user, page, told, access, forged };
}

interface Resetting {
  zero(range: { readonly address: number; readonly size: number }, now: number): void;
  readonly shootdowns: { readonly size: number };
}

type Services = NonNullable<ReturnType<ProgramSimulation['simulation']['node']>['kernel']>['services'];

describe('a page is taken back', () => {
  test('who asks for it is turned away and can ask again, and who was handed it once has done nothing wrong', () => {
    const { home, user, page, told, access, forged } = scene();
    expect([access('read'), forged()]).toEqual(['PAGE_GONE', 1]);
    home.capops.shared.given.note(USER, { address: page * PAGE_BYTES, size: PAGE_BYTES });
    expect([access('write'), forged()]).toEqual(['PAGE_GONE', 1]);
    expect(user.pages.leftovers()).toEqual([]);
    told.add(USER);
    expect(access('write')).toBeNull();
  });

  test('who resets it is told that this is over, and it is left as it is: it may be another object by now', () => {
    const { s, home, user, page, forged } = scene();
    const range = { address: page * PAGE_BYTES, size: PAGE_BYTES };
    const { addressSpaces } = user as unknown as { readonly addressSpaces: Resetting };
    const reset = (): void => {
      addressSpaces.zero(range, s.simulation.now);
      s.until(() => addressSpaces.shootdowns.size === 0);
    };
    home.pages.copies.bytesOf(page).fill(9);
    reset();
    expect(forged()).toBe(1);
    home.capops.shared.given.note(USER, range); // to anybody, who may have handed it on
    reset();
    expect([forged(), home.pages.copies.bytesOf(page)[0]]).toEqual([1, 9]);
  });

  test('who has written to it brings the bytes back', () => {
    const { s, home, user, page, told, access, forged } = scene();
    told.add(USER);
    expect(access('write')).toBeNull();
    user.pages.copies.bytesOf(page).fill(7);
    told.delete(USER);
    user.pages.into(({ cache }) => cache.evict(page));
    s.until(() => home.pages.directory.report(page)?.owner === null);
    expect(home.pages.directory.report(page)).toMatchObject({ lost: false, statistics: { writebacks: 1 } });
    expect(home.pages.copies.bytesOf(page)[0]).toBe(7);
    expect(forged()).toBe(0);
  });
});

describe('a dispatcher ends while its domain’s home is asked for a translation', () => {
  test('the page is not kept for it: its home can take it back', async () => {
    const { s, home, user, page, told } = scene();
    told.add(USER);
    s.load(USER, 'idle', await bareProgram('await mk.sleep(1e12);'));
    const domain = s.spawn(USER, 'idle');
    s.until(() => user.programs.parts.all().length === 1);
    const caller = user.programs.parts.all()[0]!.cspace;
    let answer: Resume<undefined> | null = null;
    const exchange = {
      *ask() {
        yield { arm: (resume: Resume<undefined>) => ((answer = resume), (): void => undefined) };
        return { error: 0, epoch: 1, physical: page, rights: 31, entry: PAGE_BYTES };
      },
    };
    const { faults } = user.addressSpaces as unknown as { readonly faults: { readonly port: FaultsPort } };
    const port = { ...faults.port, exchange, domainOf: () => ({ domain, home: HOME }) } as unknown as FaultsPort;
    let error: string | null = null;
    new Faults(port).systemCalls.page_fault(caller, { address: 0, access: 'write' }, s.simulation.now, (result) => {
      error = result.ok ? null : result.error;
    });
    s.ask(USER, 'domain_kill', { domain });
    s.until(() => user.programs.parts.all().length === 0);
    answer!(undefined, s.simulation.now);
    s.until(() => home.pages.directory.report(page)?.owner === USER || error !== null);
    let taken: string | null | undefined;
    home.pages.into(({ cache }) => cache.access(page, 'write', (failed) => (taken = failed)));
    s.until(() => taken !== undefined);
    expect([error, taken, user.pages.leftovers()]).toEqual(['NO_SUCH_DOMAIN', null, []]);
  });
});
