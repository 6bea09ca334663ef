import { coreCount, type MachineDescription } from '@mk/machine/description';
import { forCores } from '@mk/machine/resize';
import type { FactUpdate } from '../engine/skb-engine.ts';
import type { Fact } from './fact.ts';
import { factText } from './fact.ts';
import { LEFT_OUT, machineFacts } from './machine-facts.ts';

/**
 * How much of the machine the knowledge base knows: exactly the cores that the cluster has had. Further cores are
 * described when they join; cores that leave stay, as hardware does.
 */
export class ToldMachine {
  private described = 0;
  private facts = new Map<string, Fact>();

  constructor(
    private readonly machine: MachineDescription,
    private readonly observer: {
      refused(error: Error): void;
      leftOut(name: string, facts: number, most: number): void;
    },
  ) {}

  /** Describes the first `cores` cores, if they are more than are already described. */
  describe(cores: number, tell: (update: FactUpdate) => Promise<unknown>): void {
    const wanted = Math.min(cores, coreCount(this.machine));
    if (wanted <= this.described) return;
    this.described = wanted;
    const now = new Map(machineFacts(forCores(this.machine, wanted)).map((each) => [textOf(each), each]));
    const remove = [...this.facts].filter(([text]) => !now.has(text)).map(([, each]) => each);
    const add = [...now].filter(([text]) => !this.facts.has(text)).map(([, each]) => each);
    this.facts = now;
    for (const { name, args } of add) {
      if (name === LEFT_OUT) this.observer.leftOut(String(args[0]), Number(args[1]), Number(args[2]));
    }
    tell({ remove, add }).catch((error: Error) => this.observer.refused(error));
  }
}

/** One more than the highest core that an update reports. */
export function coresIn({ add = [] }: FactUpdate): number {
  return add.reduce((most, { name, args }) => (name === 'incarnation' ? Math.max(most, Number(args[0]) + 1) : most), 0);
}

/** The engine itself refuses a fact that Prolog cannot read. */
function textOf(each: Fact): string {
  try {
    return factText(each);
  } catch {
    return JSON.stringify(each);
  }
}
