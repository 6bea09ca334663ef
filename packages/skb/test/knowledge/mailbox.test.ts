import { expect, test } from '@jest/globals';
import { Peer } from '@mk/monitor-proto/endpoint/peer';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Mailbox } from '../../src/knowledge/mailbox.ts';

/** An endpoint whose channels are full, or take so many messages. */
class FullEndpoint {
  room = 0;
  readonly sent: Message[] = [];

  sendTo(_peer: Peer, message: Message): boolean {
    if (this.room === 0) return false;
    this.room -= 1;
    this.sent.push(message);
    return true;
  }
}

const peer = new Peer(65_536, 1, 'a');
const answer = (id: number, text: string): Message => ({ type: 'oct_reply', id, more: false, text });

test('what a full channel refuses follows in order once there is room', () => {
  const endpoint = new FullEndpoint();
  const mailbox = new Mailbox(endpoint, () => undefined);
  for (let id = 0; id < 10; id++) mailbox.send(peer, answer(id, 'x'));
  endpoint.room = 4;
  mailbox.sendable(peer);
  mailbox.send(peer, answer(10, 'x'));
  endpoint.room = 100;
  mailbox.sendable(peer);
  mailbox.send(peer, answer(11, 'x'));
  expect(endpoint.sent.map((message) => 'id' in message && message.id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test.each([
  ['messages', 1, limit('clientBacklog')],
  ['characters', 8_192, limit('clientBacklogCharacters') / 8_192],
])('a client is long at half of the %s that may wait, and overfull past them, not before', (_what, chars, most) => {
  const endpoint = new FullEndpoint();
  const overfull: Peer[] = [];
  const mailbox = new Mailbox(endpoint, (each) => overfull.push(each));
  const text = 'x'.repeat(chars);
  for (let id = 0; id < most / 2; id++) mailbox.send(peer, answer(id, text));
  expect(mailbox.isLong(peer)).toBe(false);
  mailbox.send(peer, answer(0, text));
  expect(mailbox.isLong(peer)).toBe(true);
  for (let id = most / 2 + 1; id < most; id++) mailbox.send(peer, answer(id, text));
  mailbox.look(0);
  expect(overfull).toEqual([]);
  endpoint.room = 1; // what was taken waits no longer
  mailbox.sendable(peer);
  mailbox.send(peer, answer(0, text));
  mailbox.look(0);
  expect(overfull).toEqual([]);
  mailbox.send(peer, answer(0, text));
  mailbox.look(0);
  expect(overfull).toEqual([peer]);
});

test('what is of no use is taken back and counts no longer; the rest keeps its order', () => {
  const endpoint = new FullEndpoint();
  const overfull: Peer[] = [];
  const mailbox = new Mailbox(endpoint, (each) => overfull.push(each));
  for (let id = 0; id <= limit('clientBacklog'); id++)
    mailbox.send(peer, id % 1000 === 0 ? answer(id, 'x') : { type: 'oct_notify', more: false, text: 'x' });
  mailbox.withdraw(peer, ({ type }) => type === 'oct_notify');
  mailbox.look(0);
  expect(overfull).toEqual([]);
  endpoint.room = Infinity;
  mailbox.sendable(peer);
  mailbox.send(peer, answer(1, 'x'));
  const ids = Array.from({ length: 21 }, (_, i) => i * 1000);
  expect(endpoint.sent.map((message) => 'id' in message && message.id)).toEqual([...ids, 1]);
});
