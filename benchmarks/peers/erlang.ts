import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  COUNTS,
  freePort,
  killed,
  listening,
  type Measure,
  type Peer,
  type PeerKind,
  tethered,
  type Way,
} from './peer.ts';

/** BEAM nodes of one host, connected each to each, as `erl` sets them; epmd on a port of its own. */
export const erlang: PeerKind = {
  name: 'Erlang',
  program: 'erl',
  debian: 'erlang-base',
  booted: 'BEAM nodes, each connected to all others',
  start: startErlang,
};

const WAYS: readonly (readonly [Measure, string, string, number])[] = [
  ['trip', 'Erlang’s bare send', 'send', COUNTS.trip],
  ['trip', 'Erlang’s gen_server:call', 'call', COUNTS.trip],
  ['round', 'Erlang’s send to all, each answers', 'round', COUNTS.round],
  ['twoPhases', 'two of Erlang’s sends to all', 'two', COUNTS.round],
  ['revoke', 'Erlang’s global:trans over all', 'trans', COUNTS.revoke],
];

async function startErlang(members: number): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'mk-peers-'));
  const port = await freePort();
  const source = join(process.cwd(), 'benchmarks', 'peers', 'mk_peer.erl');
  if (spawnSync('erlc', ['-o', folder, source], { stdio: 'inherit' }).status !== 0) throw new Error('erlc failed');
  const env = { ...process.env, ERL_EPMD_PORT: String(port), HOME: folder };
  const epmd = tethered(spawn('epmd', ['-port', String(port), '-address', '127.0.0.1'], { stdio: 'ignore' }));
  await listening(port);
  const startedAt = performance.now();
  const nodes = Array.from({ length: members }, (_, i) =>
    tethered(
      spawn(
        'erl',
        [
          ...['-noshell', '-pa', folder, '-setcookie', 'bench', '-name', `m${i}@127.0.0.1`],
          ...['-cores', String(members), '-s', 'mk_peer', i === 0 ? 'root' : 'member'],
        ],
        { env, detached: true, stdio: [i === 0 ? 'pipe' : 'ignore', 'pipe', 'inherit'] },
      ),
    ),
  );
  const root = nodes[0]!;
  const said = createInterface(root.stdout!)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await said.next();
    if (done === true) throw new Error('the first BEAM node has ended');
    return value as string;
  };
  if ((await line()) !== 'ready') throw new Error('the first BEAM node is not ready');
  const bootMs = performance.now() - startedAt;
  return {
    bootMs,
    ways: WAYS.map(([of, title, work, count]): Way => ({
      of,
      title,
      async run() {
        root.stdin!.write(`${work} ${count}\n`);
        return Number(await line());
      },
    })),
    async stop() {
      await killed([...nodes, epmd]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
