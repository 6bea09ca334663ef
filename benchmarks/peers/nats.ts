import { spawn } from 'node:child_process';
import { startAroundServer } from './around-a-server.ts';
import { COUNTS, freePort, type PeerKind, tethered } from './peer.ts';

/** One `nats-server`; members speak its plain text protocol from processes of node, with nothing of a client library. */
export const nats: PeerKind = {
  name: 'NATS',
  program: 'nats-server',
  debian: 'nats-server',
  booted: 'processes of node, each connected to one nats-server',
  async start(members) {
    const port = await freePort();
    const server = tethered(spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' }));
    return startAroundServer({
      server,
      port,
      members,
      client: 'nats.mjs',
      ways: [
        { of: 'trip', title: 'a request over NATS', count: COUNTS.trip },
        { of: 'round', title: 'a request over NATS that all answer', count: COUNTS.round },
        { of: 'twoPhases', title: 'two requests over NATS that all answer', count: COUNTS.round },
      ],
    });
  },
};
