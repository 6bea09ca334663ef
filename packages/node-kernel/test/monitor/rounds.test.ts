import { beforeEach, describe, expect, test } from '@jest/globals';
import { ERRORS } from '@mk/monitor-proto/errors';
import type { CoreId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import { Outbox } from '@mk/monitor-proto/outbox';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { type Act, PHASES, ROUND_ACTIONS, type Vote } from '@mk/node-kernel/monitor/agreement/round-actions';
import { Rounds } from '@mk/node-kernel/monitor/agreement/rounds';

const SELF = 5;
const PARENT = 1;
const CHILD = 9;
const DEADLINE = limit('operationDeadlineNs');

describe('a member of a round', () => {
  let timers: TimerQueue;
  let rounds: Rounds;
  let sent: [CoreId, Message][];
  let votes: Vote[];
  let blamed: CoreId[];

  const NOOP = ROUND_ACTIONS.noop.ordinal;
  const LATER = ROUND_ACTIONS.revoke.ordinal;
  /** An action without work consents at once; the other votes when the test says so. */
  const ACTS: readonly Act[] = [
    (_op, _phase, _payload, now, vote) => vote(null, now),
    (_op, _phase, _payload, _now, vote) => votes.push(vote),
  ];
  const request = (kind: number, below: MessageOf<'round_request'>['below'] = []): MessageOf<'round_request'> => ({
    type: 'round_request',
    op: '1.1.1',
    view: 1,
    phase: PHASES.commit,
    kind,
    below,
    payload: new Uint8Array(),
  });
  const reply = (
    count: number,
    refusals: readonly (readonly [number, number])[] = [],
    data: readonly number[] = [],
  ): Message => ({ type: 'round_reply', op: '1.1.1', phase: PHASES.commit, count, refusals, data }) as Message;

  beforeEach(() => {
    timers = new TimerQueue();
    sent = [];
    votes = [];
    blamed = [];
    const send = (core: CoreId, message: Message): null => {
      sent.push([core, message]);
      return null;
    };
    rounds = new Rounds(
      {
        self: SELF,
        view: 1,
        takesPart: true,
        cores: 64,
        sink: new Outbox('off'),
        timers,
        mayAsk: () => true,
        isSilent: () => false,
        send,
        answered: () => undefined,
        blame: (core) => void blamed.push(core),
      },
      (ordinal) => ACTS[ordinal],
    );
  });

  test('that asks nobody and votes at once answers, and leaves neither a phase nor a timer', () => {
    rounds.onRequest(PARENT, request(NOOP), 0);
    expect(sent).toEqual([[PARENT, reply(1)]]);
    expect([rounds.size, timers.size, timers.next]).toEqual([0, 0, Infinity]);
  });

  test('that votes later answers then, once', () => {
    rounds.onRequest(PARENT, request(LATER), 0);
    expect([sent, rounds.size, timers.size]).toEqual([[], 1, 1]);
    votes[0]!(null, 1, [42]);
    votes[0]!('ROUND_REFUSED', 2);
    timers.expire(DEADLINE);
    expect(sent).toEqual([[PARENT, reply(1, [], [42])]]);
    expect([rounds.size, timers.size]).toEqual([0, 0]);
  });

  test('that never votes refuses at the deadline', () => {
    rounds.onRequest(PARENT, request(LATER), 0);
    timers.expire(DEADLINE);
    expect(sent).toEqual([[PARENT, reply(0, [[SELF, ERRORS.OPERATION_TIMEOUT.code]])]]);
    expect(rounds.size).toBe(0);
  });

  test('that is asked twice refuses the second time, and answers the first', () => {
    rounds.onRequest(PARENT, request(LATER), 0);
    rounds.onRequest(PARENT, request(LATER), 1);
    votes[0]!(null, 2);
    expect(sent).toEqual([
      [PARENT, reply(0, [[SELF, ERRORS.BAD_REQUEST.code]])],
      [PARENT, reply(1)],
    ]);
  });

  test('waits for the cores below although it has voted, and adds up what they answer', () => {
    rounds.onRequest(
      PARENT,
      request(NOOP, [
        [CHILD, []],
        [CHILD + 1, []],
      ]),
      0,
    );
    expect(sent.splice(0)).toEqual([
      [CHILD, request(NOOP)],
      [CHILD + 1, request(NOOP)],
    ]);
    rounds.onReply(CHILD, reply(1, [], [7, 8]) as MessageOf<'round_reply'>, 1);
    rounds.onReply(CHILD, reply(1, [], [7, 8]) as MessageOf<'round_reply'>, 1);
    expect([sent, rounds.size]).toEqual([[], 1]);
    rounds.peerGone(CHILD + 1, 2);
    expect(sent).toEqual([[PARENT, reply(2, [[CHILD + 1, ERRORS.PEER_GONE.code]], [7, 8])]]);
    expect([rounds.size, timers.size]).toEqual([0, 0]);
  });

  test('that is asked to pass on a tree that names a core twice does not hold the answer against who gives it', () => {
    rounds.onRequest(PARENT, request(NOOP, [[CHILD, [[CHILD, []]]]]), 0);
    rounds.onReply(CHILD, reply(1, [[CHILD, ERRORS.PEER_GONE.code]]) as MessageOf<'round_reply'>, 1);
    expect(sent.at(-1)).toEqual([
      PARENT,
      reply(1, [
        [CHILD, ERRORS.ROUND_REFUSED.code],
        [CHILD, ERRORS.ROUND_REFUSED.code],
      ]),
    ]);
    expect([blamed, rounds.size, timers.size]).toEqual([[], 0, 0]);
  });

  test('that began it holds an answer for other cores than those it asked against who gives it', () => {
    const plan = { routes: [[CHILD, []]] as const, serial: false };
    const spec = { op: '1.1.1', action: 'noop', payload: new Uint8Array(), plan, deadline: DEADLINE } as const;
    rounds.begin({ ...spec, phase: PHASES.commit }, 0, () => undefined);
    rounds.onReply(CHILD, reply(2) as MessageOf<'round_reply'>, 1);
    expect([blamed, rounds.size, timers.size]).toEqual([[CHILD], 0, 0]);
  });
});
