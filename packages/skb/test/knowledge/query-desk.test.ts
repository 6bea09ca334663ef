import { expect, test } from '@jest/globals';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { limit } from '@mk/monitor-proto/limits';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import { Mailbox } from '../../src/knowledge/mailbox.ts';
import { QueryDesk } from '../../src/knowledge/query-desk.ts';

const QUERY: MessageOf<'skb_query'> = {
  ...{ type: 'skb_query', id: 1, goal: 'p(X)', time_limit_ms: 0, inference_limit: 0, max_solutions: 0 },
};

/** A desk whose one client reads, or does not: then half of what may wait for it waits, and `more` messages. */
function asked(more: number | null): { readonly effects: readonly object[]; readonly got: readonly Message[] } {
  const effects: object[] = [];
  const got: Message[] = [];
  const channel = { unacknowledged: 0 };
  const peer = { gone: false, channel } as Peer;
  const mailbox = new Mailbox({ sendTo: (_peer, message) => got.push(message) > 0 }, () => undefined);
  const desk = new QueryDesk({ push: (effect: object) => void effects.push(effect) } as never, mailbox, true);
  if (more !== null) {
    channel.unacknowledged = limit('clientUnread');
    for (let i = 0; i < limit('clientBacklog') / 2 + more; i++)
      mailbox.send(peer, { type: 'oct_notify', id: 1, more: false, text: '' } as never);
  }
  desk.query(peer, QUERY);
  channel.unacknowledged = 0;
  mailbox.sendable(peer);
  return { effects, got: got.filter(({ type }) => type === 'skb_query_end') };
}

test.each([[null], [0]])('the query of a client that reads, or nearly does, goes to the engine (%s)', (more) => {
  expect(asked(more)).toEqual({ effects: [expect.objectContaining({ type: 'run_query', goal: 'p(X)' })], got: [] });
});

test('that of a client whose answers wait ends in EngineBusy, and nothing runs for it', () => {
  expect(asked(1)).toEqual({ effects: [], got: [expect.objectContaining({ id: 1, error: 'EngineBusy' })] });
});
