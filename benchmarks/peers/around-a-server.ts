import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { messageOf } from '../cluster.ts';
import { killed, listening, type Measure, type Peer, tethered, type Way } from './peer.ts';

export interface ServerOptions {
  readonly server: ChildProcess;
  readonly port: number;
  /** A program of benchmarks/baseline: one process is one member, and the first asks. */
  readonly client: string;
  readonly members: number;
  readonly ways: readonly { readonly of: Measure; readonly title: string; readonly count: number }[];
  release?(): void;
}

/** Members that are processes of node around one server of another system. */
export async function startAroundServer(options: ServerOptions): Promise<Peer> {
  const { server, port, client, members, ways } = options;
  const startedAt = performance.now();
  await listening(port);
  const clients = Array.from({ length: members }, (_, i) =>
    tethered(
      spawn(process.execPath, [join(process.cwd(), 'benchmarks', 'baseline', client), String(port), String(i)], {
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }),
    ),
  );
  await Promise.all(clients.map((child) => messageOf(child, 'ready')));
  const bootMs = performance.now() - startedAt;
  const asker = clients[0]!;
  return {
    bootMs,
    ways: ways.map(({ of, title, count }): Way => ({
      of,
      title,
      async run() {
        const isTrip = of === 'trip';
        asker.send({
          of: isTrip ? 'trip' : 'round',
          count,
          answers: isTrip ? 1 : members - 1,
          phases: of === 'twoPhases' ? 2 : 1,
        });
        return (await messageOf(asker, 'result')).value as number;
      },
    })),
    async stop() {
      await killed([...clients, server]);
      options.release?.();
    },
  };
}
