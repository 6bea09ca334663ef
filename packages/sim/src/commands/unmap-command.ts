import { known } from '@mk/monitor-proto/assert';
import { PLAN_KINDS, type PlanKind } from '@mk/node-kernel/monitor/agreement/plan';
import { writeText } from '../io/files.ts';
import { type SimMachine, simMachine } from '../io/load-machine.ts';
import { PROGRAM_COSTS } from '../programs/program-world.ts';
import type { CommandContext, SimProgram } from './context.ts';
import { costsOfPlan } from './line-costs.ts';
import { must, type SimRequest } from './options.ts';
import { ProgramBench } from './program-bench.ts';
import { stackFile, stackPlot, type UnmapCurve, unmapCurve, unmapPlot, unmapText } from './unmap-figure.ts';

/** The program that measures, here and on processes. */
export const UNMAP_PROGRAM = 'unmap-bench';
const PAPER_MACHINE = 'amd-8x4';
const DEFAULT_CORES = 32;
/** Virtual time varies only where a timer intervenes: the median of this many is enough. */
const ROUNDS = 5;

/** `mk-launch sim unmap`: unmaps a page over 1 to N cores, by each of the four plans (the paper's Fig. 7). */
export function runUnmapCommand(request: SimRequest, context: CommandContext): number {
  const { terminal, machinesDirectory } = context;
  const name = request.machine ?? PAPER_MACHINE;
  const cores = request.cores ?? DEFAULT_CORES;
  const machine = must('--machine', simMachine(name, cores, machinesDirectory));
  const curves = PLAN_KINDS.map((plan) => {
    terminal.progress(`unmap: ${plan}`);
    return curveOf(plan, machine, cores, known(context.program, UNMAP_PROGRAM));
  });
  terminal.progress('');
  const { ghz } = machine;
  const plots: string[] = [];
  if (request.out !== null) {
    const where = ` on ${name}, simulated`;
    const files = curves.map((curve) => [stackFile(known(request.out), curve.plan), stackPlot(curve, where)] as const);
    for (const [file, svg] of [[request.out, unmapPlot(curves, where)] as const, ...files]) {
      writeText(file, svg);
      plots.push(file);
    }
  }
  if (request.json) terminal.out(JSON.stringify({ machine: name, ghz, curves, plots }));
  else {
    terminal.out(unmapText(curves, { name: `cycles at ${ghz} GHz`, ns: 1 / ghz }));
    terminal.out(plots.length === 0 ? 'Plots: --out FILE.svg' : `Plots: ${plots.join(', ')}`);
  }
  return 0;
}

/** Boots a machine, maps a page, reads it and unmaps it by one plan. */
function curveOf(plan: PlanKind, machine: SimMachine, cores: number, program: SimProgram): UnmapCurve {
  const bench = new ProgramBench(machine, cores, program);
  bench.charge(costsOfPlan(plan, machine.model, 0, cores));
  // Broadcast is one line that all poll: all are told at once and served one by one (line-costs.ts).
  bench.ask('unmap_plan', { plan: plan === 'broadcast' ? 'unicast' : plan });
  const rows = bench.run(UNMAP_PROGRAM, ['--rows', '--rounds', String(ROUNDS), '--step', '1']);
  const { last } = bench.ask('unmap_plan', {});
  // Besides its turn, a call costs marshalling; a step of a simulated core takes no time.
  const { callNs } = PROGRAM_COSTS;
  const points = unmapCurve(plan, rows, last).points.map((point) => {
    const { call, marshalling } = point.stack;
    return { ...point, stack: { ...point.stack, call: call - callNs, marshalling: marshalling + callNs } };
  });
  return { plan, points };
}
