import { writeText } from '../io/files.ts';
import { hmacSha256 } from '../io/hmac.ts';
import { simMachine } from '../io/load-machine.ts';
import { must, type SimRequest } from './options.ts';
import { shootdownTable } from './shootdown.ts';
import { crossover, shootdownPlot, shootdownText } from './shootdown-report.ts';
import type { CommandContext } from './context.ts';

const PAPER_MACHINE = 'amd-8x4';
const DEFAULT_CORES = 32;

/** `mk-launch sim shootdown`: the table of the four plans from 2 cores up, and its plot. */
export function runShootdownCommand(request: SimRequest, { terminal, machinesDirectory }: CommandContext): number {
  const name = request.machine ?? PAPER_MACHINE;
  const cores = request.cores ?? DEFAULT_CORES;
  const whole = must('--machine', simMachine(name, cores, machinesDirectory));
  const counts = Array.from({ length: cores - 1 }, (_, i) => i + 2);
  const machineFor = (n: number): typeof whole.model => {
    terminal.progress(`shootdown: ${n} of ${cores} cores`);
    return must('--machine', simMachine(name, n, machinesDirectory)).model;
  };
  const rows = shootdownTable(machineFor, counts, hmacSha256);
  terminal.progress('');
  const withPaper = name === PAPER_MACHINE;
  const plot = request.out;
  if (plot !== null) must('--out', writeText(plot, shootdownPlot(rows, whole.ghz, name, withPaper)));
  const beats = crossover(rows);
  if (request.json) terminal.out(JSON.stringify({ machine: name, ghz: whole.ghz, rows, crossover: beats, plot }));
  else {
    terminal.out(shootdownText(rows, whole.ghz, withPaper));
    terminal.out(beats === null ? 'Unicast wins at every number of cores.' : `The trees win from ${beats} cores.`);
    terminal.out(plot === null ? 'A plot: --out FILE.svg' : `Plot: ${plot}`);
  }
  return 0;
}
