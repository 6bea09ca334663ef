/*
 * The first domain of a shipped program dies with its core: what it began on other cores ends, lost and with a line that
 * says why, instead of waiting for ever.
 */
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';
import type { Home } from '@mk/node-kernel/monitor/programs/homes';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { startedProgramText } from '../../scripts/bundle-program.mjs';

/** Programs whose parts are domains of their own, working until the crash. */
const PROGRAMS: readonly [name: string, args: readonly string[]][] = [
  ['ring', ['--rounds', '1000000']],
  ['pingpong', ['--rounds', '1000000']],
  ['churn', ['--operations', '1000000']],
  ['bank', ['--rounds', '100000']],
  ['kv', ['--rounds', '100000']],
  ['queue-bench', ['--milliseconds', '600000']],
];
const CORES = [0, 1, 2, 3];

test.each(PROGRAMS)('%s', async (name, args) => {
  const text = await startedProgramText(join(process.cwd(), 'packages', 'programs', 'src', `${name}.ts`));
  const s = new ProgramSimulation({ cores: CORES.length });
  s.load(0, name, text);
  s.spawn(0, name, args, { environment: { CORES: CORES.join() } });
  const others = (): readonly Home[] =>
    CORES.slice(1).flatMap((core) => s.simulation.node(core).kernel!.services.programs.homes.all());
  s.until(() => others().filter(({ begun }) => begun).length >= (name === 'queue-bench' ? 1 : 3));
  s.simulation.run(s.simulation.now + 2 * MILLISECOND);
  s.simulation.crash(0);
  s.until(() => others().every(({ finished }) => finished), 300 * SECOND);
  const ends = others().map(({ ending }) => `${ending?.cause} ${ending?.status}`);
  expect(new Set(ends)).toEqual(new Set(['exited 3']));
  const said = s.output.filter((line) =>
    / ends: 0\.1\.\d+, which began it, has ended: HOME_GONE: core 0 is gone$/.test(line),
  );
  expect(said).toHaveLength(ends.length);
});
