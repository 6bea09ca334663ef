import { known } from '@mk/monitor-proto/assert';
import { writeText } from '../io/files.ts';
import { simMachine } from '../io/load-machine.ts';
import type { CommandContext } from './context.ts';
import { must, type SimRequest } from './options.ts';
import { ProgramBench } from './program-bench.ts';
import { sharePlot, shareText } from './share-figure.ts';

/** The program that measures, here and on processes. */
export const SHARE_PROGRAM = 'share-bench';
const PAPER_MACHINE = 'amd-4x4';
const DEFAULT_CORES = 16;
const ROUNDS = 20;
const LINES = [1, 8] as const;

/** `mk-launch sim share`: shared memory against messages on virtual time (the paper's Fig. 3). */
export function runShareCommand(request: SimRequest, context: CommandContext): number {
  const { terminal, machinesDirectory } = context;
  const name = request.machine ?? PAPER_MACHINE;
  const cores = request.cores ?? DEFAULT_CORES;
  const machine = must('--machine', simMachine(name, cores, machinesDirectory));
  const bench = new ProgramBench(machine, cores, known(context.program, SHARE_PROGRAM));
  const rows = LINES.flatMap((lines) => {
    terminal.progress(`share: ${lines} lines`);
    return bench.run(SHARE_PROGRAM, ['--json', '--rounds', String(ROUNDS), '--lines', String(lines)]).flat();
  });
  terminal.progress('');
  const { ghz } = machine;
  const { out } = request;
  if (out !== null) writeText(out, sharePlot(rows, ` on ${name}, simulated`));
  if (request.json) terminal.out(JSON.stringify({ machine: name, ghz, rows, plot: out }));
  else {
    terminal.out(shareText(rows, { name: `cycles at ${ghz} GHz`, ns: 1 / ghz }));
    terminal.out(out === null ? 'A plot: --out FILE.svg' : `Plot: ${out}`);
  }
  return 0;
}
