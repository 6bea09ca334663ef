import { known } from '@mk/monitor-proto/assert';
import { PLAN_KINDS, type PlanKind } from '@mk/node-kernel/monitor/agreement/plan';
import { type SimMachine, simMachine } from '../io/load-machine.ts';
import type { CommandContext, SimProgram } from './context.ts';
import { askedBy, disruptionText } from './disruption-figure.ts';
import { costsOfPlan } from './line-costs.ts';
import { must, type SimRequest } from './options.ts';
import { ProgramBench } from './program-bench.ts';

/** The program that measures, here and on processes. */
export const DISRUPTION_PROGRAM = 'disruption-bench';
const PAPER_MACHINE = 'amd-8x4';
const DEFAULT_CORES = 16;
/** Virtual time has no noise: one pair of a quiet time and a loud one, and every core has a CPU, so nobody pauses. */
const WORDS = ['--json', '--rounds', '100', '--pairs', '1', '--window', '5', '--pause', '0'] as const;

/** `mk-launch sim disruption`: what an unmap costs the programs of the cores that it interrupts, by each of the four plans. */
export function runDisruptionCommand(request: SimRequest, context: CommandContext): number {
  const { terminal, machinesDirectory } = context;
  const name = request.machine ?? PAPER_MACHINE;
  const cores = request.cores ?? DEFAULT_CORES;
  const machine = must('--machine', simMachine(name, cores, machinesDirectory));
  const plans = PLAN_KINDS.map((plan) => {
    terminal.progress(`disruption: ${plan}`);
    return measured(plan, machine, cores, known(context.program, DISRUPTION_PROGRAM));
  });
  terminal.progress('');
  const { ghz } = machine;
  if (request.json) terminal.out(JSON.stringify({ machine: name, ghz, plans }));
  else
    for (const { plan, asked, ...told } of plans)
      terminal.out(`${plan}: ${disruptionText(told, asked, { name: `cycles at ${ghz} GHz`, ns: 1 / ghz })}`);
  return 0;
}

function measured(plan: PlanKind, machine: SimMachine, cores: number, program: SimProgram) {
  const bench = new ProgramBench(machine, cores, program, { oneCpu: true });
  bench.charge(costsOfPlan(plan, machine.model, 0, cores));
  // Broadcast is one line that all poll: all are told at once and served one by one (line-costs.ts).
  bench.ask('unmap_plan', { plan: plan === 'broadcast' ? 'unicast' : plan });
  const [told] = bench.run(DISRUPTION_PROGRAM, WORDS);
  const { last, rounds } = bench.ask('unmap_plan', {});
  return { plan, asked: askedBy(last, rounds), ...known(told, 'a line of the program') };
}
