import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { ControlReply } from '@mk/monitor-proto/step';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { SimLogLine } from '@mk/sim/engine/sim-log';
import { Simulation } from '@mk/sim/engine/simulation';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import { contextText, programTextOf } from '../../../../scripts/bundle-program.mjs';

/** A test's program: the body of `main`, which sees `mk` (bare-runtime.ts). */
export function bareProgram(body: string): Promise<string> {
  return programTextOf(`import { start } from './test/programs/bare-runtime.ts';\nstart(async (mk) => {\n${body}\n});`);
}

export const context = await contextText();

/** A simulation that runs programs, and requests to it. */
export class ProgramSimulation {
  readonly simulation: Simulation;
  readonly lines: SimLogLine[] = [];

  constructor(options: Partial<SimulationOptions> = {}, programs = new VmPrograms(context)) {
    this.simulation = new Simulation({
      seed: 1,
      cores: 3,
      machine: flatMachine(),
      hmac: fastMac,
      logLevel: 'info',
      programs,
      ...options,
    });
    this.simulation.observe({ line: (line) => this.lines.push(line) });
    this.simulation.start();
    this.until(() => this.simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false);
    this.simulation.run(this.simulation.now + SECOND / 10);
  }

  until(condition: () => boolean, forNs = 60 * SECOND): void {
    if (!this.simulation.run(this.simulation.now + forNs, condition)) throw new Error('it did not come to pass');
  }

  ask(core: number, verb: string, args: Readonly<Record<string, unknown>> = {}): ControlReply {
    let answer: ControlReply | null = null;
    this.simulation.control(core, verb, args, (reply) => (answer = reply));
    this.until(() => answer !== null);
    return answer!;
  }

  value<T>(core: number, verb: string, args: Readonly<Record<string, unknown>> = {}): T {
    const reply = this.ask(core, verb, args);
    if (!reply.ok) throw new Error(`${reply.error}: ${reply.text}`);
    return reply.value as T;
  }

  load(core: number, name: string, text: string): void {
    this.value(core, 'program_load', { name, text: Buffer.from(text).toString('base64') });
  }

  /** Spawns a loaded program; its domain's name. */
  spawn(
    core: number,
    program: string,
    args: readonly string[] = [],
    more: Readonly<Record<string, unknown>> = {},
  ): string {
    return this.value<{ domain: string }>(core, 'domain_spawn', { program, args, ...more }).domain;
  }

  wait(core: number, domain: string): { cause: string; status: number; text: string; parts: Record<string, string> } {
    return this.value(core, 'domain_wait', { domain });
  }

  /** What programs have printed, in order. */
  get output(): readonly string[] {
    return this.lines
      .filter(({ event }) => event === 'program_output')
      .map((line) => `${line.core}: ${String(line.text)}`);
  }
}
