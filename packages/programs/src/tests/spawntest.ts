/** Barrelfish's spawntest: so many copies on each core, each counted once. The first argument lists the cores. */
import { known } from '../common/known.ts';
import { program } from '@mk/libmk/program/program';
import { coresOf, same } from './expecting.ts';

const COPIES = 4;

export const main = program({ name: 'spawntest' }, async (mk) => {
  if (mk.args[0] === 'child') {
    await mk.octopus.set(`'spawntest.child' { core: ${mk.self.core}, domain: '${mk.self.domain}' }`, {
      sequential: true,
    });
    same(mk, mk.env['PARENT'], mk.args[1], 'its environment');
    return mk.self.core + 10;
  }
  const cores = coresOf(mk);
  const children = await Promise.all(
    cores.flatMap((core) =>
      Array.from({ length: COPIES }, () =>
        mk.processes.spawn(null, { core, args: ['child', mk.self.domain], environment: { PARENT: mk.self.domain } }),
      ),
    ),
  );
  same(mk, new Set(children.map(({ domain }) => domain)).size, children.length, 'names of domains');
  for (const [i, child] of children.entries()) {
    const core = known(cores[Math.floor(i / COPIES)]);
    const { status, cause } = await child.wait();
    same(mk, [cause, status], ['exited', core + 10], `child ${child.domain}`);
  }
  const records = await mk.octopus.getNames("r'^spawntest\\.child_'");
  same(mk, records.length, cores.length * COPIES, 'children that ran');
  for (const name of records) await mk.octopus.delete(`'${name}'`);
  return 0;
});
