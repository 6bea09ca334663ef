// Bare ws between two processes: an echo, a flood of one message a frame, and a flood of hand-batched frames.
// Run as `echo.mjs server`; or as `echo.mjs client PORT`, which takes orders over IPC.
import { WebSocket, WebSocketServer } from 'ws';

const [role, port] = process.argv.slice(2);
const options = { perMessageDeflate: false, skipUTF8Validation: true };
const zeroMask = { ...options, generateMask: (mask) => void mask.fill(0) };

if (role === 'server') {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  server.on('listening', () => process.send({ type: 'listening', port: server.address().port }));
  server.on('connection', (socket) => {
    let expected = 0;
    let bytes = 0;
    socket.on('message', (data) => {
      if (data.length === 4) expected = data.readUInt32LE();
      else if (expected === 0) return void socket.send(data);
      else bytes += data.length;
      if (expected > 0 && bytes >= expected) {
        expected = 0;
        bytes = 0;
        socket.send(Buffer.alloc(8));
      }
    });
  });
} else {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, zeroMask);
  const orders = {
    echo: (count) => echo(count),
    plain: (count) => flood(count, 1),
    batched: (count) => flood(count, 64),
  };
  socket.on('open', () => process.send({ type: 'ready' }));
  process.on('message', async ({ order, count }) =>
    process.send({ type: 'result', value: await orders[order](count) }),
  );

  /** Median round trip of 64 bytes, nanoseconds. */
  function echo(count) {
    return new Promise((resolve) => {
      const payload = Buffer.alloc(64, 1);
      const samples = [];
      let sentAt = performance.now();
      const onMessage = () => {
        samples.push(performance.now() - sentAt);
        if (samples.length === count) {
          socket.off('message', onMessage);
          return resolve(samples.sort((a, b) => a - b)[count >> 1] * 1e6);
        }
        sentAt = performance.now();
        socket.send(payload);
      };
      socket.on('message', onMessage);
      socket.send(payload);
    });
  }

  /** Messages of 64 bytes a second, `perFrame` to a frame. */
  function flood(count, perFrame) {
    return new Promise((resolve) => {
      const announce = Buffer.alloc(4);
      announce.writeUInt32LE(count * 64);
      socket.send(announce);
      const frame = Buffer.alloc(64 * perFrame, 2);
      const startedAt = performance.now();
      socket.once('message', () => resolve((count / (performance.now() - startedAt)) * 1000));
      let sent = 0;
      const pump = () => {
        for (let i = 0; i < 64 && sent < count; i++, sent += perFrame) socket.send(frame);
        if (sent >= count) return;
        if (socket.bufferedAmount > 1 << 20) setTimeout(pump, 0);
        else setImmediate(pump);
      };
      pump();
    });
  }
}
