import { expect, test } from '@jest/globals';
import { Requests } from '../../src/knowledge/requests.ts';
import type { Message } from '../../src/messages/table.ts';

const solutions: Message = { type: 'skb_solutions', id: 1, more: false, text: '[{"bindings":{"X":1}}]' };

/** A query with one solution so far. */
function answered(): { readonly requests: Requests; readonly ends: string[]; readonly sent: Message[] } {
  const sent: Message[] = [];
  const ends: string[] = [];
  const requests = new Requests((message) => void sent.push(message));
  requests.run(
    'p(X)',
    {},
    {
      solutions: () => undefined,
      end: ({ error }) => void ends.push(error === undefined ? 'ended' : `${error.name}: ${error.message}`),
    },
  );
  requests.receive(solutions);
  return { requests, ends, sent };
}

test.each([
  [true, 'SessionLost: the SKB dropped this client while it answered'],
  [false, 'EngineRestarted: the SKB was restarted while it answered'],
])('a query that was being answered ends with what happened (dropped: %s)', (dropped, what) => {
  const { requests, ends } = answered();
  requests.restarted(dropped);
  expect(ends).toEqual([what]);
  expect(requests.size).toBe(0);
});

test('one without a solution is asked again', () => {
  const sent: Message[] = [];
  const requests = new Requests((message) => void sent.push(message));
  requests.run('p(X)', {}, { solutions: () => undefined, end: () => undefined });
  requests.restarted(true);
  expect(sent.map(({ type }) => type)).toEqual(['skb_query', 'skb_query']);
  expect(requests.size).toBe(1);
});

test('a half of a notification does not spoil what comes after the session', () => {
  const { requests } = answered();
  const told: number[] = [];
  requests.onNotification(({ id }) => void told.push(id));
  requests.receive({ type: 'oct_notify', more: true, text: '{"id": 1, ' });
  requests.sessionLost('it is over');
  requests.receive({ type: 'oct_notify', more: false, text: '{"id": 2, "mode": 1, "record": null}' });
  expect(told).toEqual([2]);
});
