/*
 * One member that does not lead lies about views, as fast as it likes. While a leader is heard only its word counts
 * (decision 0196): nobody is deposed, left out, fenced or given another view than the others; and a leader that dies is
 * succeeded as ever.
 */
import { expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import type { ViewMessage } from '@mk/node-kernel/monitor/views/messages';
import type { View } from '@mk/node-kernel/monitor/views/view';
import { ViewWorld } from './view-world.ts';

const LIAR = 4;
const HONEST = [0, 1, 2, 3];
const LAST_ROUND = 2 ** 32 - 1;

type Lie = (view: View, to: number, turn: number) => ViewMessage;

const ballot = (round: number) => ({ round, core: LIAR });
const without = (view: View, core: number, number = view.number + 1): View => {
  return { number, leader: LIAR, members: view.members.filter((member) => member.core !== core) };
};

const LIES: Readonly<Record<string, Lie>> = {
  'leads by a beacon of a higher ballot': ({ number }, _to, turn) => {
    return {
      type: 'view_beacon',
      view: number,
      ballot: ballot(7 + turn),
      sequence: turn,
      acked: turn - 1,
      leads: true,
    };
  },
  'leads by the ballot of the leader': ({ number }, _to, turn) => {
    return { type: 'view_beacon', view: number, ballot: { round: 0, core: 0 }, sequence: turn, acked: 0, leads: false };
  },
  'asks for promises that nobody can outbid': ({ number }) => {
    return { type: 'view_prepare', view: number, ballot: ballot(LAST_ROUND) };
  },
  'asks for votes of the last round': ({ number }) => {
    return { type: 'view_vote_request', view: number, round: LAST_ROUND };
  },
  'has a view accepted without promises': (view) => {
    return { type: 'view_accept', view: view.number, proposal: { ballot: ballot(9), view: without(view, 1) } };
  },
  'tells each another next view': (view, to) => {
    return { type: 'view_install', views: [without(view, (to + 1) % 4)], left: [] };
  },
  'leaves out whom it tells': (view, to) => {
    return { type: 'view_install', views: [without(view, to)], left: [] };
  },
  'speaks as the operator': (view) => {
    return { type: 'view_install', views: [without(view, 1, 100_001)], left: [] };
  },
  'accepts for the leader': ({ number }) => {
    return { type: 'view_accepted', view: number, ballot: { round: 0, core: 0 } };
  },
};

test.each(Object.keys(LIES))('it %s', (name) => {
  const lie = LIES[name]!;
  const world = new ViewWorld(5, createPrng(1));
  const fenced: string[] = [];
  let lies = true;
  let turn = 1;
  world.afterTick = () => {
    turn += 1;
    const liar = world.cores[LIAR]!;
    const view = liar.agreement.view!;
    for (const core of HONEST) {
      const { self, alive, rate, agreement } = world.cores[core]!;
      if (lies && alive && turn % 5 === 0)
        agreement.receive(liar.self, lie(view, core, turn), Math.floor(world.now * rate));
      if (lies && turn > 100 && !world.mayAct(core)) fenced.push(`core ${self.core} at ${world.now / 1e6} ms`);
    }
  };
  world.run(12_000);
  expect([world.violations, fenced.slice(0, 3)]).toEqual([[], []]);
  expect(HONEST.map((core) => world.cores[core]!.agreement.view?.number)).toEqual([1, 1, 1, 1]);
  expect(HONEST.map((core) => world.cores[core]!.agreement.leader)).toEqual([0, 0, 0, 0]);
  lies = false;
  world.crash(0);
  for (let waited = 0; waited < 20_000 && !world.converged && world.violations.length === 0; waited += 200)
    world.run(200);
  expect([world.converged, world.violations]).toEqual([true, []]);
});
