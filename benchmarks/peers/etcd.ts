import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAroundServer } from './around-a-server.ts';
import { COUNTS, freePort, type PeerKind, tethered } from './peer.ts';

/** etcd of one member with its data in a folder for temporary files; members watch and put over its JSON gateway. */
export const etcd: PeerKind = {
  name: 'etcd',
  program: 'etcd',
  debian: 'etcd-server',
  booted: 'processes of node, each watching a key of one etcd',
  async start(members) {
    const [port, peerPort] = [await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), 'mk-peers-'));
    const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
    const server = tethered(
      spawn(
        'etcd',
        [
          ...['--data-dir', folder, '--listen-client-urls', client, '--advertise-client-urls', client],
          ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
          ...['--initial-cluster', `default=${peer}`],
        ],
        { stdio: 'ignore' },
      ),
    );
    return startAroundServer({
      server,
      port,
      members,
      client: 'etcd.mjs',
      ways: [
        { of: 'trip', title: 'a linearizable read of etcd', count: COUNTS.revoke },
        { of: 'round', title: 'a put of etcd that all see and answer with a put', count: COUNTS.revoke },
        { of: 'twoPhases', title: 'two puts of etcd that all see and answer', count: COUNTS.revoke },
      ],
      release: () => rmSync(folder, { recursive: true, force: true }),
    });
  },
};
