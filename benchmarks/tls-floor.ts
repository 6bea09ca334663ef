import { connect, type Socket } from 'node:net';
import { connect as connectSecurely, type ConnectionOptions } from 'node:tls';
import { Authority } from '@mk/launcher/tls/authority';
import { messageOf, startBaseline } from './cluster.ts';
import { type Figure, report } from './report.ts';

/**
 * What TLS costs a round trip of 64 bytes in Node itself: an echo over a TLS socket against one over a TCP socket, in
 * turns, by the settings that might matter. A link over TLS cannot be cheaper.
 */
const RUNS = Number(process.argv[2] ?? 9);
const TRIPS = 2000;
const [HEADER_BYTES, BYTES] = [4, 68];

const authority = await Authority.create('bench', 1);
const { key, cert } = await authority.issue(['core-0'], 1);
const server = startBaseline('sockets.mjs', [key, cert]);
const { ports } = await messageOf(server, 'listening');
const [plainPort, tlsPort, tlsInTwoPort] = ports as [number, number, number];

function open(port: number, options: ConnectionOptions | null): Promise<Socket> {
  return new Promise((resolve) => {
    const at = { port, host: '127.0.0.1' };
    const socket: Socket =
      options === null
        ? connect(at, () => resolve(socket))
        : connectSecurely({ ...at, ca: authority.ca, checkServerIdentity: () => undefined, ...options }, () =>
            resolve(socket),
          );
    socket.setNoDelay(true);
  });
}

/** The median round trip, in microseconds. */
function trips(socket: Socket, inTwo: boolean): Promise<number> {
  return new Promise((resolve) => {
    const message = Buffer.alloc(BYTES);
    const times: number[] = [];
    let [received, startedAt] = [0, 0];
    const send = (): void => {
      startedAt = performance.now();
      if (inTwo) socket.write(message.subarray(0, HEADER_BYTES));
      socket.write(inTwo ? message.subarray(HEADER_BYTES) : message);
    };
    const hear = (data: Buffer): void => {
      received += data.length;
      if (received < BYTES) return;
      received = 0;
      times.push((performance.now() - startedAt) * 1000);
      if (times.length < TRIPS) return send();
      socket.off('data', hear);
      resolve(times.sort((a, b) => a - b)[TRIPS / 2]!);
    };
    socket.on('data', hear);
    send();
  });
}

const plain = await open(plainPort, null);
const ways = [
  ['as Node sets it', await open(tlsPort, {}), false],
  ['TLS_AES_128_GCM_SHA256', await open(tlsPort, { ciphers: 'TLS_AES_128_GCM_SHA256' }), false],
  ['TLS_CHACHA20_POLY1305_SHA256', await open(tlsPort, { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }), false],
  ['TLS 1.2', await open(tlsPort, { maxVersion: 'TLSv1.2' }), false],
  ['highWaterMark of 1 MiB', await open(tlsPort, { highWaterMark: 1 << 20 } as ConnectionOptions), false],
  ['header and payload written one by one', await open(tlsInTwoPort, {}), true],
] as const;
await trips(plain, false);
for (const [, socket, inTwo] of ways) await trips(socket, inTwo);
const figures: Figure[] = [];
for (const [name, socket, inTwo] of ways) {
  const [ours, baseline]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS; run++) {
    baseline.push(await trips(plain, false));
    ours.push(await trips(socket, inTwo));
  }
  figures.push({ name: `echo of 64 bytes over Node’s TLS, ${name}`, unit: 'µs', ours, baseline, target: null });
}
report(figures, 'tls-floor');
for (const socket of [plain, ...ways.map(([, socket]) => socket)]) socket.destroy();
server.kill();
