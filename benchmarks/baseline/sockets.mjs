// Echoes over TCP and over TLS, as Node has them: the floor of a link, without mk or ws. Arguments: key and certificate
// (PEM). Prints its ports: plain, TLS, TLS with two writes a message.
import { createServer } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';

const [key, cert] = process.argv.slice(2);
const HEADER_BYTES = 4;
const echo = (inTwo) => (socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    if (inTwo) socket.write(data.subarray(0, HEADER_BYTES));
    socket.write(inTwo ? data.subarray(HEADER_BYTES) : data);
  });
};
const listening = (server) =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
const secure = (inTwo) => createSecureServer({ key, cert }, echo(inTwo));
const ports = await Promise.all([createServer(echo(false)), secure(false), secure(true)].map(listening));
process.send({ type: 'listening', ports });
