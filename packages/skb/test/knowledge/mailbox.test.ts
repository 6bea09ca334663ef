import { expect, test } from '@jest/globals';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Mailbox } from '../../src/knowledge/mailbox.ts';

/** An endpoint whose channels are full, or take so many messages. */
class FullEndpoint {
  room = 0;
  readonly sent: Message[] = [];
  readonly given: string[] = [];

  sendTo(_peer: Peer, message: Message): boolean {
    if (this.room === 0) return false;
    this.room -= 1;
    this.sent.push(message);
    return true;
  }

  forget(_peer: Peer, cause: string): void {
    this.given.push(cause);
  }
}

const peer = { gone: false } as Peer;
const answer = (id: number, text: string): Message => ({ type: 'oct_reply', id, more: false, text });

test('what a full channel refuses follows in order once there is room', () => {
  const endpoint = new FullEndpoint();
  const mailbox = new Mailbox(endpoint);
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
])('a client is given up once more %s wait than may, and not before', (_what, chars, most) => {
  const endpoint = new FullEndpoint();
  const mailbox = new Mailbox(endpoint);
  const text = 'x'.repeat(chars);
  for (let id = 0; id < most; id++) mailbox.send(peer, answer(id, text));
  mailbox.giveUp(0);
  expect(endpoint.given).toEqual([]);
  endpoint.room = 1; // what was taken waits no longer
  mailbox.sendable(peer);
  mailbox.send(peer, answer(0, text));
  mailbox.giveUp(0);
  expect(endpoint.given).toEqual([]);
  mailbox.send(peer, answer(0, text));
  mailbox.giveUp(0);
  expect(endpoint.given).toEqual(['it does not take its answers']);
});
