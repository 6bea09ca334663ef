// A client of etcd's JSON gateway: `etcd.mjs PORT INDEX` watches `round` and answers each put with a put of its own; the one with index 0
// reads one key (`trip`), or puts `round` and awaits as many answers, when it is asked to measure (asked.mjs).
import { Agent, request } from 'node:http';
import { awaited, measureWhenAsked } from './asked.mjs';

const [port, index] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, noDelay: true });
const VALUE = Buffer.alloc(64, 3).toString('base64');
const base64 = (text) => Buffer.from(text).toString('base64');
let heard = () => {};

function call(path, body, each) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    request({ port, host: '127.0.0.1', path, method: 'POST', agent: each ? undefined : agent, headers }, (answer) => {
      if (each) return lines(answer, each);
      answer.resume().once('end', resolve);
    })
      .once('error', reject)
      .end(text);
  });
}

function lines(answer, each) {
  let rest = '';
  answer.setEncoding('utf8').on('data', (data) => {
    const parts = (rest + data).split('\n');
    rest = parts.pop();
    for (const part of parts) each(JSON.parse(part).result);
  });
}

const put = (key) => call('/v3/kv/put', { key: base64(key), value: VALUE });
const read = (key) => call('/v3/kv/range', { key: base64(key) });

/** Those with an index above 0 watch what is asked; 0 watches the answers. */
const watched = index === '0' ? { key: base64('answer/'), range_end: base64('answer0') } : { key: base64('round') };
call('/v3/watch', { create_request: watched }, (result) => {
  if (result.created) return process.send({ type: 'ready' });
  for (const _ of result.events ?? []) {
    if (index === '0') heard();
    else put(`answer/${index}`);
  }
});

function round(answers) {
  const replies = awaited(answers);
  heard = replies.heard;
  put('round');
  return replies.all;
}

measureWhenAsked((of, answers) => (of === 'trip' ? read('trip') : round(answers)));
