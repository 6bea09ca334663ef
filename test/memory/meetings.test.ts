/* Threads of one domain that map, unmap and protect the same range at once, at every offset of a sweep. */
import { expect, test } from '@jest/globals';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { Checks } from '@mk/sim/checkers/registry';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { edgeText } from '../programs/edges.ts';

const READ = 1;
const PAGES = 6;
/** A range of demand-paged pages, all of which are there. */
const RANGE = `
  const range = mk.memory.reserve(${PAGES} * 4096);
  const page = (n, count = 1) => ({ address: range.address + n * 4096, bytes: count * 4096 });
  const rightsOf = async (n) => (await mk.memory.lookup(page(n).address))?.rights ?? null;
  for (let n = 0; n < ${PAGES}; n += 1) await mk.memory.store32(page(n).address, n + 1);`;
const later = (call: string): string =>
  `mk.threads.spawn('later', async () => { await mk.sleep(offset); ${call} }).join()`;

const MEETINGS = {
  'two unmaps of pages overlap: neither takes another page, and both wait for what both name': `${RANGE}
    await Promise.all([mk.memory.unmap(page(0, 2)), ${later(`await mk.memory.unmap(page(1, 2)).catch(gone);
      mk.assert((await rightsOf(1)) === null, 'it is unmapped when either returns');`)}]);
    for (const n of [0, 1]) mk.assert((await rightsOf(n)) === null, 'unmapped');
    for (let n = 3; n < ${PAGES}; n += 1) {
      mk.assert((await mk.memory.load32(page(n).address)) === n + 1, 'the others stay');
      await mk.memory.unmap(page(n));
      mk.assert((await rightsOf(n)) === null, 'and can be unmapped');
    }
    await mk.memory.unmap(range);`,
  'protect meets an unmap of pages: no page keeps its rights': `${RANGE}
    await Promise.all([mk.memory.protect(range, ${READ}), ${later('await mk.memory.unmap(page(0, 2));')}]);
    for (let n = 2; n < ${PAGES}; n += 1) mk.assert((await rightsOf(n)) === ${READ}, 'page ' + n + ' has ' + (await rightsOf(n)));
    await mk.memory.unmap(range);`,
  'protect meets an unmap of all: it names no capability that may be another’s by now': `${RANGE}
    const protecting = mk.memory.protect(range, ${READ}).catch(gone);
    ${later('await mk.memory.unmap(range);')};
    const other = await mk.memory.map(await mk.memory.allocFrame(4096));
    await mk.sleep(1e6); await protecting;
    await mk.memory.store32(other.address, 1);
    await mk.memory.unmap(other);`,
  'protect meets the map: it holds for what is being mapped': `
    const at = 2 ** 33; const bytes = 4096;
    const mapping = mk.memory.map(frame, { at, bytes });
    const protecting = mk.memory.protect({ address: at, bytes }, ${READ});
    await mapping; await protecting;
    mk.assert((await mk.memory.lookup(at)).rights === ${READ}, 'protected');
    await mk.memory.unmap({ address: at, bytes });`,
  'a map that fails takes no other mapping with it': `
    const at = 2 ** 33; const bytes = 4096;
    const failing = mk.memory.map(readOnly, { at, bytes, rights: 3 }).then(() => 'mapped', (e) => e.name);
    const unmapping = ${later('await mk.memory.unmap({ address: at, bytes }).catch(gone);')};
    const other = mk.threads.spawn('other', async () => { await mk.sleep(offset); return mk.memory.map(frame, { at, bytes }).catch((e) => e.name); }).join();
    mk.assert((await failing) === 'RIGHTS_NOT_SUBSET', 'refused');
    await unmapping;
    const mapped = await other;
    if (typeof mapped !== 'string') await mk.memory.unmap(mapped);
    else mk.assert(mapped === 'ENTRY_IN_USE', mapped);`,
  'a page is touched while it is unmapped: it is the old one or a fresh one': `${RANGE}
    const touching = ${later(`mk.assert([0, 1].includes(await mk.memory.load32(page(0).address)), 'read');
      await mk.memory.store32(page(0).address, 9).catch(gone);`)};
    await mk.memory.unmap(page(0));
    await touching;
    await mk.memory.unmap(range);`,
};

test.each(Object.entries(MEETINGS))('%s', async (name, body) => {
  const source = `export const main = async (mk) => {
    const gone = (e) => { if (e.name !== 'PAGE_FAULT') throw e; };
    const frame = await mk.memory.allocFrame(4096);
    const readOnly = await mk.capabilities.mint(frame, ${READ});
    for (let offset = 0; offset <= 60_000; offset += 1500) {${body}
    }
  };`;
  const s = new ProgramSimulation({ seed: 1, cores: 2 });
  const checks = new Checks(s.simulation, [memoryChecker]);
  s.load(0, 'meeting', await edgeText({ name: 'meeting', source }));
  const { cause, text } = s.wait(0, s.spawn(0, 'meeting', []));
  expect({ name, cause, text, violations: checks.violations }).toEqual({
    name,
    cause: 'exited',
    text: '',
    violations: [],
  });
});
