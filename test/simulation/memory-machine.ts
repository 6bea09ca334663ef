import { hmacSha256 } from '@mk/sim/io/hmac';
import { capabilityChecker } from '@mk/sim/checkers/capabilities';
import type { CheckerFactory } from '@mk/sim/checkers/checker';
import { ramChecker } from '@mk/sim/checkers/ram';
import { Checks } from '@mk/sim/checkers/registry';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import type { Kernel } from '@mk/node-kernel/kernel';
import { SECOND } from '@mk/monitor-proto/ids';
import { expect } from '@jest/globals';

export const PAGE = 4096;
export const RAM = 1 << 20;
/** Freeing asks every core, and a dead core's owners are found anew: far below this. */
const SETTLED = 20 * SECOND;

/** A small machine with one domain a core, whose memory servers are asked through its system calls. */
export class MemoryMachine {
  readonly simulation: Simulation;
  readonly checks: Checks;
  readonly domains: number[] = [];

  constructor(
    readonly cores: number,
    seed: string | number,
    checkers: readonly CheckerFactory[] = [capabilityChecker, ramChecker],
  ) {
    this.simulation = new Simulation({
      seed,
      cores,
      machine: flatMachine(),
      hmac: hmacSha256,
      logLevel: 'info',
      settings: JSON.stringify({ ramBytes: RAM }),
    });
    this.checks = new Checks(this.simulation, checkers);
    this.simulation.start();
    const whole = () =>
      Array.from({ length: cores }, (_, core) => core).every(
        (core) => this.simulation.node(core).kernel?.monitor.context.members.length === cores - 1,
      );
    this.simulation.run(5e9, whole);
    for (let core = 0; core < cores; core += 1)
      this.domains.push((this.ask(core, 'domain_create', { cnodes: 8, memory: 0 }) as { domain: number }).domain);
  }

  ask(core: number, verb: string, args: object): unknown {
    const answers: unknown[] = [];
    this.begin(core, verb, args, (answer) => answers.push(answer));
    this.simulation.run(this.simulation.now + 30e9, () => answers.length > 0);
    return answers[0];
  }

  begin(core: number, verb: string, args: object, done: (answer: unknown) => void): void {
    this.simulation.control(core, verb, args as Readonly<Record<string, unknown>>, (reply) =>
      done(reply.ok ? reply.value : reply.error),
    );
  }

  call(core: number, name: string, args: readonly unknown[]): unknown {
    return this.ask(core, 'cap_call', { domain: this.domains[core], call: { name, args } });
  }

  /** The text of a refusal. */
  refusal(core: number, name: string, args: readonly unknown[]): string {
    let text = '';
    const words = { domain: this.domains[core], call: { name, args } };
    this.simulation.control(core, 'cap_call', words, (reply) => (text = reply.ok ? 'it was not refused' : reply.text));
    this.simulation.run(this.simulation.now + 30e9, () => text !== '');
    return text;
  }

  allocate(core: number, bytes: number, rest: object = {}): unknown {
    return this.call(core, 'allocate', [{ bytes, ...rest }]);
  }

  get free(): number {
    let bytes = 0;
    for (let core = 0; core < this.cores; core += 1)
      bytes += this.simulation.node(core).kernel?.cpuDriver.state.ram.freeBytes ?? 0;
    return bytes;
  }

  settle(): void {
    this.simulation.run(this.simulation.now + 2e9);
    this.checks.atEnd();
    expect(this.checks.violations).toEqual([]);
  }

  living(): Kernel[] {
    return [...this.simulation.nodes.values()].flatMap(({ kernel }) => kernel ?? []);
  }

  /** Waits until the living know one another and no operation is under way. */
  rest(): void {
    const rested = (): boolean => {
      const living = this.living();
      return living.every(
        ({ monitor, services, cpuDriver }) =>
          cpuDriver.booted && monitor.context.members.length === living.length - 1 && !services.capops.busy,
      );
    };
    expect(this.simulation.run(this.simulation.now + SETTLED, rested)).toBe(true);
    this.simulation.run(this.simulation.now + SECOND);
    expect(rested()).toBe(true);
  }
}
