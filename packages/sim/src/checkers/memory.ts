import { known } from '@mk/monitor-proto/assert';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { type CoreId, isCore, type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { PageReport } from '@mk/node-kernel/memory/coherence/page-report';
import type { SimNode } from '../engine/sim-node.ts';
import type { Checker, Report } from './checker.ts';

/**
 * Memory, over all cores after every step that touched a page:
 *
 *   M1  of a page at most one core may write, and then nobody else may read;
 *   M2  copies that may be read are the bytes of the home, in its version;
 *   M3  whoever may read or write is named in the directory;
 *   M4  when everything has come to rest nobody waits for a page;
 *   M5  a page that is lost was named in the log;
 *   V2, M6  a translation that a core would use is in the tables of the domain's home, unless an unmap of that home is under way.
 *
 * A core that the home has given up is not looked at: it learns of that and halts.
 */
export function memoryChecker(): Checker {
  const nodes = new Map<PeerId, SimNode>();
  const seen = new Map<PeerId, number>();
  const named = new Set<number>();
  return {
    name: 'memory',
    line(line) {
      if (line.event === 'page_lost') named.add(Number(line['address']));
    },
    afterStep(node, _event, report) {
      nodes.set(node.id, node);
      const { kernel } = node;
      if (kernel === null || node.id === SKB_PEER || !kernel.cpuDriver.booted) return;
      const { pages, addressSpaces } = kernel.services;
      const now = pages.touches + addressSpaces.shootdowns.rounds;
      if (seen.get(node.id) === now) return;
      seen.set(node.id, now);
      checkAll(nodes, named, report);
    },
    atEnd(simulation, report) {
      for (const { id, kernel } of simulation.nodes.values()) {
        if (kernel === null || id === SKB_PEER || !kernel.cpuDriver.booted) continue;
        for (const row of [...kernel.services.pages.leftovers(), ...kernel.services.addressSpaces.leftovers()])
          report('M4', `core ${id}: ${row}`);
      }
    },
  };
}

function checkAll(nodes: ReadonlyMap<PeerId, SimNode>, named: ReadonlySet<number>, report: Report): void {
  const all = [...nodes].flatMap(([core, { kernel }]) =>
    isCore(core) && kernel?.cpuDriver.booted === true ? [{ core, kernel }] : [],
  );
  const knows = (one: Member, other: Member): boolean =>
    one === other || one.kernel.monitor.context.monitors.has(other.core);
  for (const one of all) {
    const { kernel: home } = one;
    const cores = all.filter((other) => knows(one, other) && knows(other, one));
    for (const page of home.services.pages.directory.reports()) checkPage(home, cores, page, named, report);
    checkForgotten(one, cores, report);
    checkTranslations(home, cores, report);
  }
}

/** M3 for pages that their home has forgotten: nobody holds one. */
function checkForgotten({ core: home, kernel }: Member, cores: readonly Member[], report: Report): void {
  const { directory } = kernel.services.pages;
  for (const { core, kernel: holder } of cores)
    for (const { page, state } of holder.services.pages.cache.held())
      if (holder.services.pages.homeOf(page) === home && directory.report(page) === null)
        report(
          'M3',
          `core ${core} has page ${(page * PAGE_BYTES).toString(16)} ${state}, which its home has forgotten`,
        );
}

const STATES = ['invalid', 'shared', 'modified'] as const;

interface Member {
  readonly core: CoreId;
  readonly kernel: Kernel;
}

function checkPage(
  home: Kernel,
  cores: readonly Member[],
  entry: PageReport,
  named: ReadonlySet<number>,
  report: Report,
): void {
  const { page, owner, sharers, version, lost } = entry;
  const name = `page ${(page * PAGE_BYTES).toString(16)}`;
  if (lost && !named.has(page * PAGE_BYTES)) report('M5', `${name} is lost and was not named`);
  const holders = cores.flatMap(({ core, kernel }) => {
    const { cache, copies } = kernel.services.pages;
    // What counts is what a program could do now, whatever the protocol believes.
    const state = known(STATES[Math.max(STATES.indexOf(cache.stateOf(page)), copies.wordOf(page))]);
    return state === 'invalid' ? [] : [{ core, kernel, state }];
  });
  const writers = holders.filter(({ state }) => state === 'modified');
  if (writers.length > 1 || (writers.length === 1 && holders.length > 1))
    report('M1', `${name}: ${holders.map(({ core, state }) => `core ${core} ${state}`).join(', ')}`);
  for (const { core, kernel, state } of holders) {
    if (owner !== core && !sharers.includes(core))
      report('M3', `core ${core} has ${name} ${state}, and the home does not know`);
    const { cache, copies } = kernel.services.pages;
    // A page on its way back may still be read by its holder, which has yet to acknowledge.
    if (state !== 'shared' || owner !== null || cache.stateOf(page) !== 'shared') continue;
    const [mine, there] = [copies.peek(page), home.services.pages.copies.peek(page)];
    if (cache.versionOf(page) !== version)
      report('M2', `core ${core} reads version ${cache.versionOf(page)} of ${name}, which is at ${version}`);
    else if (mine !== null && there !== null && !same(mine, there))
      report('M2', `core ${core} reads other bytes of ${name} than its home has`);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function checkTranslations(home: Kernel, cores: readonly Member[], report: Report): void {
  const { addressSpaces } = home.services;
  if (addressSpaces.shootdowns.size > 0 || home.cpuDriver.changed) return;
  for (const space of addressSpaces.all()) {
    for (const { core, kernel } of cores) {
      for (const [page, known] of kernel.services.addressSpaces.translations.of(space.domain)) {
        const now = space.translate(home.cpuDriver.state.pageTables, page);
        if (now?.physical !== known.physical || now.rights !== known.rights)
          report('V2', `core ${core} would use page ${page.toString(16)} of ${space.domain} as it was before an unmap`);
      }
    }
  }
}
