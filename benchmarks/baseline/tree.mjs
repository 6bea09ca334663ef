// Bare ws: one process of a hand-written fan-out and gather over a tree. Hears over IPC whom it has below it; the root
// times rounds.
import { WebSocket, WebSocketServer } from 'ws';

const options = { perMessageDeflate: false, skipUTF8Validation: true };
const children = [];
let waiting = 0;
let finish = null;

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
server.on('listening', () => process.send({ type: 'listening', port: server.address().port }));
server.on('connection', (socket) => {
  socket.on('message', (request) => {
    if (children.length === 0) return void socket.send(request);
    finish = () => socket.send(request);
    fanOut(request);
  });
});

function fanOut(request) {
  waiting = children.length;
  for (const child of children) child.send(request);
}

function answered() {
  waiting -= 1;
  if (waiting === 0) finish();
}

process.on('message', async ({ ports, rounds }) => {
  if (ports !== undefined) {
    await Promise.all(
      ports.map(
        (port) =>
          new Promise((resolve) => {
            const socket = new WebSocket(`ws://127.0.0.1:${port}`, {
              ...options,
              generateMask: (mask) => void mask.fill(0),
            });
            children.push(socket);
            socket.on('open', resolve);
            socket.on('message', answered);
          }),
      ),
    );
    process.send({ type: 'ready' });
  } else process.send({ type: 'result', value: await run(rounds) });
});

/** Median time of a round, nanoseconds. */
function run(rounds) {
  return new Promise((resolve) => {
    const request = Buffer.alloc(32, 3);
    const samples = [];
    let startedAt = performance.now();
    finish = () => {
      samples.push(performance.now() - startedAt);
      if (samples.length === rounds) return resolve(samples.sort((a, b) => a - b)[rounds >> 1] * 1e6);
      startedAt = performance.now();
      fanOut(request);
    };
    fanOut(request);
  });
}
