import type { CoreAnswers } from '@mk/launcher/client/answers';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import { join } from 'node:path';
import { askProcess } from '@mk/launcher/client/ask';
import { accessOf } from '@mk/libmk/io/control-call';
import { SkbClient } from '@mk/libmk/io/skb-client';
import { ClusterPlace, type Running, until } from './running-cluster.ts';

/** A cluster for tests of the knowledge base: clients of its SKB, and an SKB that can be killed. */
export class KnowledgePlace {
  readonly place = new ClusterPlace();
  private launcher: Running | null = null;
  private readonly clients: SkbClient[] = [];

  async boot(cores: number, ...args: string[]): Promise<void> {
    ({ launcher: this.launcher } = await this.place.boot('--cores', String(cores), ...args));
  }

  /** A separate client, as another process would have. */
  async client(): Promise<SkbClient> {
    const address = await this.addressOf('skb');
    const { secret } = this.place.record()!;
    const client = await SkbClient.connect({ cluster: 'mk', secret, address });
    this.clients.push(client);
    return client;
  }

  clientsOf(count: number): Promise<SkbClient[]> {
    return Promise.all(Array.from({ length: count }, () => this.client()));
  }

  /** Sends a verb to a core's monitor over its control port. */
  async askCore<V extends string>(core: number, verb: V, args: object): Promise<AnswerOf<CoreAnswers, V>> {
    const address = await this.addressOf(`core-${core}`);
    const access = accessOf(this.place.record()!.secret, null);
    return askProcess('core', address, access, verb, args, { timeoutMs: 600_000 });
  }

  /** kill −9, after which the supervisor restarts it; resolves when it listens. */
  async killSkb(): Promise<void> {
    for (const verb of ['crash', 'restart']) {
      const { status, stderr } = await this.place.mkctl(verb, 'skb');
      if (status !== 0) throw new Error(`mkctl ${verb} skb: ${stderr}`);
    }
  }

  /** Where the SKB keeps its persistent data, unless the cluster was given another place. */
  get dataDir(): string {
    return join(this.place.state, 'mk.data');
  }

  /** Ends the cluster and returns how that went. */
  async end(): Promise<{ readonly status: number | null; readonly left: readonly number[] }> {
    await Promise.all(this.clients.map((client) => client.close()));
    this.launcher?.child.kill('SIGINT');
    const status = (await this.launcher?.ended)?.status ?? null;
    const left = this.place.processes();
    await this.place.cleanUp();
    return { status, left };
  }

  /** The address of a process; after a restart it is recorded a moment later. */
  private addressOf(process: string): Promise<string> {
    return until(`the address of ${process}`, () => {
      return this.place.record()?.processes.find(({ name }) => name === process)?.address;
    });
  }
}
