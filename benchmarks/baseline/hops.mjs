// The hops of a request between threads of two processes, with nothing done at any of them: thread → process → bare ws → process → thread, and
// back. Run as `hops.mjs server`; or as `hops.mjs client PORT`, which takes orders over IPC: `hops`, `local` (thread → process → thread).
import { MessageChannel, Worker, isMainThread, workerData } from 'node:worker_threads';
import { WebSocket, WebSocketServer } from 'ws';

const BYTES = 64;

if (!isMainThread) {
  const { shared, port, count } = workerData;
  const words = new Int32Array(shared);
  const hop = () => {
    port.postMessage(BYTES);
    Atomics.wait(words, 0, 0);
    Atomics.store(words, 0, 0);
  };
  if (count === 0)
    for (;;) {
      Atomics.wait(words, 0, 0);
      Atomics.store(words, 0, 0);
      port.postMessage(BYTES);
    }
  const samples = [];
  for (let i = 0; i < count; i++) {
    const begun = process.hrtime.bigint();
    hop();
    samples.push(Number(process.hrtime.bigint() - begun));
  }
  port.postMessage(samples.sort((a, b) => a - b)[count >> 1]);
} else {
  const [role, at] = process.argv.slice(2);
  const options = { perMessageDeflate: false, skipUTF8Validation: true };
  const payload = Buffer.alloc(BYTES, 1);
  /** A thread that waits for `wake`; `count` 0: it answers, otherwise it asks that often. */
  const threadOf = (count, onMessage) => {
    const shared = new SharedArrayBuffer(8);
    const words = new Int32Array(shared);
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { shared, port: port2, count },
      transferList: [port2],
    });
    port1.on('message', onMessage);
    const wake = () => {
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
    };
    return { worker, wake };
  };
  if (role === 'server') {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
    server.on('listening', () => process.send({ type: 'listening', port: server.address().port }));
    server.on('connection', (socket) => {
      const { wake } = threadOf(0, () => socket.send(payload));
      socket.on('message', wake);
    });
  } else {
    const socket = new WebSocket(`ws://127.0.0.1:${at}`, { ...options, generateMask: (mask) => void mask.fill(0) });
    socket.on('open', () => process.send({ type: 'ready' }));
    process.on('message', ({ order, count }) => {
      const { worker, wake } = threadOf(count, (message) => {
        if (message !== BYTES) {
          socket.off('message', wake);
          void worker.terminate();
          process.send({ type: 'result', value: message });
        } else if (order === 'hops') socket.send(payload);
        else wake();
      });
      socket.on('message', wake);
    });
  }
}
