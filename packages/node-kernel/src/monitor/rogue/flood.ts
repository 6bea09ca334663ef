/* Unsolicited well-formed messages: requests, answers to nothing, and load. */
import { type MessageMaker, oneOf } from './mischief.ts';

const PAYLOAD = new Uint8Array(256);

export const flood: MessageMaker = (m) => {
  const id = m.prng.nextInt(2 ** 31);
  const { view, core, incarnation } = m.context;
  return [
    oneOf(m, [
      { type: 'ping_request', id, payload: PAYLOAD },
      { type: 'ping_reply', id, payload: PAYLOAD },
      { type: 'flood', stream: id, number: id, payload: PAYLOAD },
      { type: 'flood_end', stream: id, count: id },
      { type: 'clock_reply', id, t0: 1, t1: 2, t2: 3 },
      { type: 'round_reply', op: `${core}.${incarnation}.${id}`, phase: 2, count: 1, refusals: [], data: [] },
      {
        type: 'round_request',
        op: m.context.operations.nextId(),
        view,
        phase: 2,
        kind: 0,
        below: [],
        payload: PAYLOAD,
      },
      { type: 'cap_retype_created', op: m.context.operations.nextId(), created: true },
      { type: 'page_granted', page: id, transaction: id },
    ] as const),
  ];
};
