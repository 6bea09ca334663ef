// A client of a NATS server in its plain text protocol: `nats.mjs PORT` answers what comes on `trip` (the first of them) and `round`
// (all), and publishes there when it is asked to measure (asked.mjs).
import { connect } from 'node:net';
import { awaited, measureWhenAsked } from './asked.mjs';

const [port, index] = process.argv.slice(2);
const PAYLOAD = Buffer.alloc(64, 3);
const CRLF = Buffer.from('\r\n');
const socket = connect({ port: Number(port), host: '127.0.0.1' });
socket.setNoDelay(true);
let rest = Buffer.alloc(0);
let heard = () => {};

const publish = (subject, reply, payload) =>
  socket.write(Buffer.concat([Buffer.from(`PUB ${subject} ${reply}${payload.length}\r\n`), payload, CRLF]));

const OPERATIONS = {
  INFO: () =>
    socket.write(
      `CONNECT {"verbose":false,"pedantic":false,"lang":"plain","version":"1"}\r\nSUB inbox.${index} 1\r\n${index === '0' ? '' : 'SUB round 2\r\n'}${index === '1' ? 'SUB trip 3\r\n' : ''}PING\r\n`,
    ),
  PONG: () => process.send({ type: 'ready' }),
  PING: () => socket.write('PONG\r\n'),
};

/** MSG subject sid [reply] bytes: a request names whom to answer, an answer nobody. */
function message(words, payload) {
  if (words.length === 5) publish(words[3], '', payload);
  else heard();
}

socket.on('data', (data) => {
  rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
  for (;;) {
    const end = rest.indexOf(CRLF);
    if (end < 0) return;
    const words = rest.toString('latin1', 0, end).split(' ');
    const bytes = words[0] === 'MSG' ? Number(words.at(-1)) : -2;
    const next = end + 2 + bytes + 2;
    if (rest.length < next) return;
    const payload = rest.subarray(end + 2, next - 2);
    rest = rest.subarray(next);
    if (words[0] === 'MSG') message(words, payload);
    else OPERATIONS[words[0]]?.();
  }
});

/** One request that `answers` members answer. */
function ask(of, answers) {
  const replies = awaited(answers);
  heard = replies.heard;
  publish(of, `inbox.${index} `, PAYLOAD);
  return replies.all;
}

measureWhenAsked(ask);
