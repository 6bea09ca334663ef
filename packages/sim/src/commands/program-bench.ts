import type { AnswerOf, CoreAnswers } from '@mk/node-kernel/control/verb-answers';
import { known } from '@mk/monitor-proto/assert';
import { isCore, MILLISECOND, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { type CostModel, costsOf } from '../engine/costs.ts';
import { benchLine, type BenchLines } from './bench-lines.ts';
import { fastMac } from '../engine/fast-mac.ts';
import { Simulation } from '../engine/simulation.ts';
import type { SimMachine } from '../io/load-machine.ts';
import { VmPrograms } from '../programs/io/vm-programs.ts';
import { PROGRAM_COSTS, type ProgramCosts } from '../programs/program-world.ts';
import type { SimProgram } from './context.ts';

const BOOT_LIMIT: Nanos = 20 * SECOND;
const RUN_LIMIT: Nanos = 3600 * SECOND;

/** A booted machine with a description's costs, and a program that measures on it as on processes. */
export class ProgramBench {
  private readonly simulation: Simulation;
  private readonly costs: { current: CostModel };
  private lines: string[] = [];

  constructor(
    machine: SimMachine,
    private readonly cores: number,
    program: SimProgram,
    costs: Partial<ProgramCosts> = {},
  ) {
    const { model, lrpcNs } = machine;
    const box = { current: costsOf(model) };
    this.costs = box;
    this.simulation = new Simulation({
      seed: program.name,
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
      // A turn costs as much as a local call, if the machine describes one.
      programCosts: { ...PROGRAM_COSTS, turnNs: lrpcNs > 0 ? lrpcNs : PROGRAM_COSTS.turnNs, ...costs },
    });
    this.simulation.observe({
      line: (line, { id }) => {
        if (isCore(id) && line.event === 'program_output') this.lines.push(String(line['text']));
      },
    });
    this.simulation.start();
    this.until(BOOT_LIMIT, 'boot', () => this.planned());
    this.simulation.run(this.simulation.now + 100 * MILLISECOND);
    const { name, text } = program;
    this.ask('program_load', { name, text: Buffer.from(text, 'utf8').toString('base64') });
  }

  /** Messages cost this from now on. */
  charge(costs: CostModel): void {
    this.costs.current = costs;
  }

  /** Runs the bench's program on all cores; returns its output, by line. */
  run<P extends keyof BenchLines>(name: P, args: readonly string[]): readonly BenchLines[P][] {
    this.lines = [];
    const all = Array.from({ length: this.cores }, (_, core) => core).join(',');
    const { domain } = this.ask('domain_spawn', { program: name, args, environment: { CORES: all } });
    const { cause, text } = this.ask('domain_wait', { domain });
    if (cause !== 'exited') throw new Error(`${name} ended with ${cause}: ${text}`);
    return this.lines.map((text) => benchLine(name, text));
  }

  /** Calls a verb of core 0. */
  ask<V extends string>(verb: V, args: Readonly<Record<string, unknown>>): AnswerOf<CoreAnswers, V> {
    const answers: { readonly value: AnswerOf<CoreAnswers, V> }[] = [];
    this.simulation.control(0, verb, args, (reply) => {
      if (!reply.ok) throw new Error(`${verb} ended in ${reply.error}: ${reply.text}`);
      answers.push(reply);
    });
    this.until(RUN_LIMIT, verb, () => answers.length > 0);
    return known(answers[0]).value;
  }

  private until(limitNs: Nanos, what: string, condition: () => boolean): void {
    const { simulation } = this;
    if (!simulation.run(simulation.now + limitNs, condition)) throw new Error(`${what} did not end`);
  }

  /** Every core knows every other, and has the trees of all. */
  private planned(): boolean {
    for (let core = 0; core < this.cores; core += 1) {
      const { kernel } = this.simulation.node(core);
      if (kernel === null || kernel.monitor.context.members.length < this.cores - 1) return false;
      if (this.cores > 1 && kernel.services.agreement.plans.version === 0) return false;
    }
    return known(this.simulation.node(SKB_PEER).skb).registry.meshComplete;
  }
}
