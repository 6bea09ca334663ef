import { expect, jest, test } from '@jest/globals';
import { ERRORS } from '@mk/monitor-proto/errors';
import { SECOND } from '@mk/monitor-proto/ids';
import type { Route } from '@mk/monitor-proto/messages/fields';
import type { Message } from '@mk/monitor-proto/messages/table';
import { PHASES, ROUND_ACTIONS } from '@mk/node-kernel/monitor/agreement/round-actions';
import { quickSimulation } from '../support/quick-simulation.ts';

/** Large messages that fit in a frame, from a misbehaving core: reading them costs little, and nobody ends. */
const LEAVES = 70_000;

test.each([
  ['of this view', 0],
  ['of another view', 1],
])('a round %s over a tree with more cores than there are is refused by whoever is asked, for itself', (_of, ahead) => {
  const simulation = quickSimulation({ seed: 1, cores: 4, logLevel: 'off' });
  simulation.start();
  const kernelOf = (core: number) => simulation.node(core).kernel!;
  simulation.run(30 * SECOND, () =>
    [0, 1, 2, 3].every((core) => simulation.node(core).kernel?.monitor.context.members.length === 3),
  );
  const { context, endpoint } = kernelOf(3).monitor;
  const op = context.operations.nextId();
  const below = Array.from({ length: LEAVES }, (): Route => [1, []]);
  const heard: Message[] = [];
  const { monitor } = kernelOf(3);
  const { deliver } = monitor;
  jest.spyOn(monitor, 'deliver').mockImplementation((peer, message, now) => {
    if ('op' in message && message.op === op) heard.push(message);
    deliver.call(monitor, peer, message, now);
  });
  context.send(0, {
    type: 'round_request',
    op,
    view: context.view + ahead,
    phase: PHASES.commit,
    kind: ROUND_ACTIONS.noop.ordinal,
    below,
    payload: new Uint8Array(),
  });
  simulation.control(3, 'ping', { core: 0, count: 1 }, () => undefined);
  simulation.run(simulation.now + SECOND);
  jest.restoreAllMocks();
  expect(endpoint.peers.get(0)?.link).not.toBe(0);
  expect(heard).toEqual([
    { type: 'round_reply', op, phase: PHASES.commit, count: 0, refusals: [[0, ERRORS.BAD_REQUEST.code]], data: [] },
  ]);
  expect([0, 1, 2].map((core) => simulation.node(core).ended ?? null)).toEqual([null, null, null]);
});
