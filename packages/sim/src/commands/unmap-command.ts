import { known } from '@mk/monitor-proto/assert';
import { isCore, MILLISECOND, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { PLAN_KINDS, type PlanKind } from '@mk/node-kernel/monitor/agreement/plan';
import { type CostModel, costsOf } from '../engine/costs.ts';
import { fastMac } from '../engine/fast-mac.ts';
import { Simulation } from '../engine/simulation.ts';
import { writeText } from '../io/files.ts';
import { type SimMachine, simMachine } from '../io/load-machine.ts';
import { VmPrograms } from '../programs/io/vm-programs.ts';
import { PROGRAM_COSTS } from '../programs/program-world.ts';
import type { CommandContext, SimProgram } from './context.ts';
import { costsOfPlan } from './line-costs.ts';
import { must, type SimRequest } from './options.ts';
import {
  stackFile,
  stackPlot,
  type UnmapCurve,
  unmapCurve,
  unmapPlot,
  type UnmapRound,
  type UnmapRow,
  unmapText,
} from './unmap-figure.ts';

/** The program that measures, here and on processes. */
export const UNMAP_PROGRAM = 'unmap-bench';
const PAPER_MACHINE = 'amd-8x4';
const DEFAULT_CORES = 32;
/** Virtual time has no spread but where a timer comes in between: the median of so many. */
const ROUNDS = 5;
const BOOT_LIMIT: Nanos = 20 * SECOND;
const RUN_LIMIT: Nanos = 600 * SECOND;

/** `mk-launch sim unmap`: the unmap of a page over 1 to so many cores, by each of the four plans (the paper's Fig. 7). */
export function runUnmapCommand(request: SimRequest, context: CommandContext): number {
  const { terminal, machinesDirectory } = context;
  const name = request.machine ?? PAPER_MACHINE;
  const cores = request.cores ?? DEFAULT_CORES;
  const machine = must('--machine', simMachine(name, cores, machinesDirectory));
  const curves = PLAN_KINDS.map((plan) => {
    terminal.progress(`unmap: ${plan}`);
    return new UnmapRun(plan, machine, cores, known(context.program, UNMAP_PROGRAM)).curve();
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

/** A machine that boots, maps, reads and unmaps by one plan. */
class UnmapRun {
  private readonly simulation: Simulation;
  private readonly rows: UnmapRow[] = [];
  private readonly costs: { current: CostModel };
  /** A turn costs what the machine's local call does, if it says so. */
  private readonly turnNs: Nanos;

  constructor(
    private readonly plan: PlanKind,
    private readonly machine: SimMachine,
    private readonly cores: number,
    private readonly program: SimProgram,
  ) {
    const { model, lrpcNs } = machine;
    const box = { current: costsOf(model) };
    this.costs = box;
    this.turnNs = lrpcNs > 0 ? lrpcNs : PROGRAM_COSTS.turnNs;
    this.simulation = new Simulation({
      seed: 'unmap',
      cores,
      machine: model,
      costs: {
        latencyNs: (from, to) => box.current.latencyNs(from, to),
        sendNs: (from, to) => box.current.sendNs(from, to),
        receiveNs: (from, to) => box.current.receiveNs(from, to),
        eventNs: 0,
      },
      hmac: fastMac,
      logLevel: 'info',
      hash: false,
      programs: new VmPrograms(program.contextText),
      programCosts: { ...PROGRAM_COSTS, turnNs: this.turnNs },
    });
    this.simulation.observe({
      line: (line, { id }) => {
        if (isCore(id) && line.event === 'program_output') this.rows.push(JSON.parse(String(line['text'])) as UnmapRow);
      },
    });
  }

  curve(): UnmapCurve {
    const { simulation, plan, cores } = this;
    simulation.start();
    this.until(BOOT_LIMIT, 'boot', () => this.planned());
    simulation.run(simulation.now + 100 * MILLISECOND);
    this.costs.current = costsOfPlan(plan, this.machine.model, 0, cores);
    // Broadcast is one line that all poll: told to all at once, served one by one (line-costs.ts).
    this.ask('unmap_plan', { plan: plan === 'broadcast' ? 'unicast' : plan });
    const { name, text } = this.program;
    this.ask('program_load', { name, text: Buffer.from(text, 'utf8').toString('base64') });
    const all = Array.from({ length: cores }, (_, core) => core).join(',');
    const args = ['--rows', '--rounds', String(ROUNDS), '--step', '1'];
    const { domain } = this.ask('domain_spawn', { program: name, args, environment: { CORES: all } }) as SpawnAnswer;
    const { cause, text: fault } = this.ask('domain_wait', { domain }) as WaitAnswer;
    if (cause !== 'exited') throw new Error(`${name} ended with ${cause}: ${fault}`);
    const { last } = this.ask('unmap_plan', {}) as { readonly last: readonly UnmapRound[] };
    const told = unmapCurve(plan, this.rows, last);
    // What a call costs beside its turn is marshalling; a step of a simulated core takes no time.
    const { callNs } = PROGRAM_COSTS;
    const points = told.points.map((point) => {
      const { call, marshalling } = point.stack;
      return { ...point, stack: { ...point.stack, call: call - callNs, marshalling: marshalling + callNs } };
    });
    return { plan, points };
  }

  private ask(verb: string, args: Readonly<Record<string, unknown>>): unknown {
    const answers: unknown[] = [];
    this.simulation.control(0, verb, args, (reply) => {
      if (!reply.ok) throw new Error(`${verb} ended in ${reply.error}: ${reply.text}`);
      answers.push(reply.value);
    });
    this.until(RUN_LIMIT, verb, () => answers.length > 0);
    return answers[0];
  }

  private until(limitNs: Nanos, what: string, condition: () => boolean): void {
    const { simulation } = this;
    if (!simulation.run(simulation.now + limitNs, condition)) throw new Error(`${what} did not end`);
  }

  /** Every core knows every other one and has the trees of all of them. */
  private planned(): boolean {
    for (let core = 0; core < this.cores; core += 1) {
      const { kernel } = this.simulation.node(core);
      if (kernel === null || kernel.monitor.context.members.length < this.cores - 1) return false;
      if (this.cores > 1 && kernel.services.agreement.plans.version === 0) return false;
    }
    return known(this.simulation.node(SKB_PEER).skb).registry.meshComplete;
  }
}

interface SpawnAnswer {
  readonly domain: string;
}

interface WaitAnswer {
  readonly cause: string;
  readonly text: string;
}
