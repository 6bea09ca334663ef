import type { ClusterClient } from '../client/cluster-client.ts';
import { fetchText } from '@mk/libmk/io/control-call';
import { type Figures, figuresOf } from './figures.ts';
import { rowOf, type TopRow, type TwoLooks } from './rows.ts';

/** A process that has not answered within this time is shown without figures: a hung one must not delay the rest. */
const ANSWER_MS = 1000;

interface Expected {
  readonly process: string;
  readonly address: string;
  readonly state: string;
}

/** Samples every process of a cluster repeatedly. */
export class Sampler {
  private before = new Map<string, Figures>();

  constructor(private readonly cluster: ClusterClient) {}

  /** A row per process: its activity since the last sample. */
  async look(): Promise<readonly TopRow[]> {
    const looks = await Promise.all((await this.expected()).map((process) => this.lookAt(process)));
    this.before = new Map(looks.flatMap(({ process, now }) => (now === null ? [] : [[process, now] as const])));
    return looks.map(rowOf);
  }

  /** Fault rules in force, on processes that answer. */
  async faults(): Promise<number> {
    return this.cluster.faults().then(
      (rules) => rules.length,
      () => 0,
    );
  }

  private async lookAt({ process, address, state }: Expected): Promise<TwoLooks> {
    const before = this.before.get(process) ?? null;
    if (state !== 'running' || address === '') return { process, state, before, now: null };
    try {
      const { status, body } = await fetchText(address, this.cluster.access, '/metrics', ANSWER_MS);
      if (status !== 200) return { process, state: 'silent', before, now: null };
      return { process, state, before, now: figuresOf(body, performance.now()) };
    } catch {
      return { process, state: 'silent', before, now: null };
    }
  }

  private async expected(): Promise<readonly Expected[]> {
    const { cluster } = this;
    if (!cluster.supervised) return (await cluster.endpoints()).map((row) => ({ ...row, state: 'running' }));
    return (await cluster.supervisor('ps'))
      .filter(({ name }) => name === 'skb' || name.startsWith('core-'))
      .map(({ name, address, state }) => ({ process: name, address, state }));
  }
}
