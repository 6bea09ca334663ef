import { expect, test } from '@jest/globals';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import { Requests } from '@mk/monitor-proto/knowledge/requests';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Domain } from '../../src/cpu-driver/domains.ts';
import type { MonitorContext } from '../../src/monitor/context.ts';
import { Knowledge } from '../../src/monitor/knowledge/knowledge.ts';
import { ProgramKnowledge } from '../../src/monitor/knowledge/program-knowledge.ts';

/** A core's channel to the SKB that takes `room` more messages. */
class Channel {
  room = Infinity;
  readonly sent: Message[] = [];
  readonly knowledge: Knowledge;

  constructor() {
    const context = {
      now: 0,
      timers: new TimerQueue(),
      endpoint: { peers: new Map([[SKB_PEER, { met: true }]]) },
      send: (_peer: number, message: Message) => {
        if (this.sent.length >= this.room) return 'BUSY';
        this.sent.push(message);
        return null;
      },
    };
    this.knowledge = new Knowledge(context as unknown as MonitorContext);
  }

  asks(count: number): void {
    for (let i = 0; i < count; i++) this.knowledge.requests.ask({ type: 'exists', query: `q${i}` }, nothing, nothing);
  }

  meets(instance: string): void {
    this.knowledge.peerUp({ id: SKB_PEER, instance } as Peer, true);
  }

  get asked(): readonly string[] {
    return this.sent.flatMap((message) => (message.type === 'oct_request' ? [message.request] : []));
  }
}

const nothing = (): void => undefined;
const requestText = (n: number): string => JSON.stringify({ type: 'exists', query: `q${n}` });

test('requests for which the channel to the SKB has no room wait for it, in order', () => {
  const channel = new Channel();
  channel.room = 2;
  channel.asks(5);
  expect(channel.asked).toEqual([0, 1].map(requestText));
  channel.room = 4;
  channel.knowledge.sendable({ id: SKB_PEER } as Peer);
  channel.asks(1);
  expect(channel.asked).toEqual([0, 1, 2, 3].map(requestText));
  channel.room = Infinity;
  channel.knowledge.sendable({ id: SKB_PEER } as Peer);
  expect(channel.asked).toEqual(
    [0, 1, 2, 3, 4].map(requestText).concat(JSON.stringify({ type: 'exists', query: 'q0' })),
  );
});

test('with an SKB that is met for the first time nothing waits: what is open is asked again, once', () => {
  const channel = new Channel();
  channel.room = 1;
  channel.asks(3);
  channel.room = Infinity;
  channel.meets('another');
  channel.knowledge.sendable({ id: SKB_PEER } as Peer);
  expect(channel.asked).toEqual([0, 0, 1, 2].map(requestText));
});

test.each([
  ['the same', 'SessionLost'],
  ['another', 'EngineRestarted'],
])('a query under way ends as what became of the SKB: %s is met again', (instance, error) => {
  const channel = new Channel();
  channel.meets('the same');
  const ends: unknown[] = [];
  channel.knowledge.requests.run(
    'p(X)',
    {},
    { solutions: nothing, end: ({ error: why }) => void ends.push(why?.name) },
  );
  channel.knowledge.requests.receive({ type: 'skb_solutions', id: 1, more: false, text: '[{"bindings":{"X":1}}]' });
  channel.meets(instance);
  expect(ends).toEqual([error]);
});

test('a core’s programs have as many unanswered requests as a core may have operations, and no more', () => {
  const sent: Message[] = [];
  const requests = new Requests((message) => void sent.push(message));
  const programs = new ProgramKnowledge(requests, nothing, { upcall: nothing }, { now: 0 });
  const caller = { id: 7 } as Domain;
  const ask = (): void => programs.systemCalls.octopus(caller, { request: { type: 'exists', query: 'q' } }, 0, nothing);
  for (let i = 0; i < limit('operationsInFlight'); i++) ask();
  expect(requests.size).toBe(limit('operationsInFlight'));
  expect(ask).toThrow(expect.objectContaining({ error: 'TOO_MANY_OPERATIONS' }));
  expect(() =>
    programs.systemCalls.skb_query(
      caller,
      { query: { goal: 'p', time_limit_ms: undefined, max_solutions: undefined } },
      0,
      nothing,
    ),
  ).toThrow(expect.objectContaining({ error: 'TOO_MANY_OPERATIONS' }));
  requests.receive({ type: 'oct_reply', id: 1, more: false, text: '{"ok":true,"installed":false}' });
  expect(ask).not.toThrow();
});
