import { expect, test } from '@jest/globals';
import type { ViewMessage } from '../../src/monitor/views/messages.ts';
import { fromWire, toWire, type WireViewMessage } from '../../src/monitor/views/wire.ts';

const ballot = { round: 7, core: 3 };
const view = {
  number: 5,
  leader: 2,
  members: [
    { core: 1, incarnation: 1 },
    { core: 2, incarnation: 4 },
  ],
};

const travelled = (message: ViewMessage): ViewMessage | null => fromWire(toWire(message) as WireViewMessage);

test('views, proposals and promises arrive as they were sent', () => {
  const messages: ViewMessage[] = [
    { type: 'view_prepare', view: 4, ballot },
    { type: 'view_promise', view: 4, ballot, accepted: null },
    { type: 'view_promise', view: 4, ballot, accepted: { ballot: { round: 6, core: 1 }, view } },
    { type: 'view_accept', view: 4, proposal: { ballot, view } },
    { type: 'view_install', views: [view, { ...view, number: 6 }], left: [{ core: 3, incarnation: 2 }] },
    { type: 'view_join', member: { core: 9, incarnation: 2 }, hears: [1, 2] },
  ];
  for (const message of messages) expect(travelled(message)).toEqual(message);
});

test('what a peer says that is cut off anywhere, or is not a view, says nothing and throws nothing', () => {
  const whole = [6, 1, 5, 2, 2, 1, 1, 2, 4];
  for (let length = 1; length < whole.length; length += 1) {
    const cut = whole.slice(0, length);
    expect(fromWire({ type: 'view_promise', view: 4, ...ballot, accepted: cut })).toBeNull();
    expect(fromWire({ type: 'view_accept', view: 4, ...ballot, proposal: whole.slice(2, length) })).toBeNull();
    if (length > 2) expect(fromWire({ type: 'view_install', views: whole.slice(2, length), left: [] })).toBeNull();
  }
  for (const bad of [
    [0, 2, 2, 1, 1, 2, 4], // number 0
    [5, 9, 2, 1, 1, 2, 4], // led by a non-member
    [5, 2, 2, 2, 4, 1, 1], // members out of order
    [5, 2, 4294967295, 1, 1], // more members than possible
    [5, 2, 0], // none
  ])
    expect(fromWire({ type: 'view_install', views: bad, left: [] })).toBeNull();
});
