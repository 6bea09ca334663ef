import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { limit } from '@mk/monitor-proto/limits';
import { FinishedPhases, OpenRounds } from '@mk/node-kernel/monitor/capops/finished';

const COMMIT = 2;

describe('rounds that are over (M4)', () => {
  test('a phase that was held up is known however many phases of others came in between', () => {
    const finished = new FinishedPhases();
    finished.heard('1.1.5', 7);
    finished.add('1.1.5', COMMIT, 7, [42]);
    for (let n = 0; n < 2 * limit('operationsRemembered'); n += 1) finished.add(`2.1.${n}`, COMMIT, n, []);
    expect(finished.get('1.1.5', COMMIT)).toEqual([42]);
    expect(finished.isOver('1.1.5', 7)).toBe(false);
  });

  test('what the initiator says is over is forgotten, and known to be late', () => {
    const finished = new FinishedPhases();
    for (let round = 1; round <= 100; round += 1) finished.add(`1.1.${round}`, COMMIT, round, []);
    finished.heard('1.1.101', 91);
    expect(finished.size).toBe(10);
    expect([finished.isOver('1.1.90', 90), finished.isOver('1.1.91', 91), finished.isOver('1.2.90', 90)]).toEqual([true, false, false]);
    finished.heard('1.1.50', 3); // itself late: says less than is known
    expect(finished.isOver('1.1.90', 90)).toBe(true);
  });

  test('an incarnation that is gone takes its memory along, the next one of the same core has its own', () => {
    const finished = new FinishedPhases();
    finished.add('1.1.1', COMMIT, 1, [1]);
    finished.add('1.2.1', COMMIT, 1, [2]);
    finished.forget(1, 1);
    expect([finished.get('1.1.1', COMMIT), finished.get('1.2.1', COMMIT)]).toEqual([undefined, [2]]);
  });

  test('a message is taken for late only when its round has ended at the initiator, and what is open is remembered', () => {
    fc.assert(fc.property(fc.array(fc.nat(30), { maxLength: 200 }), (ends) => {
      const rounds = new OpenRounds();
      const finished = new FinishedPhases();
      const open: number[] = [];
      for (const end of ends) {
        const round = rounds.begin();
        open.push(round);
        finished.heard(`3.1.${round}`, rounds.oldest);
        finished.add(`3.1.${round}`, COMMIT, round, [round]);
        if (end < open.length) rounds.end(open.splice(end, 1)[0]!);
        for (const each of open) if (finished.isOver(`3.1.${each}`, each) || finished.get(`3.1.${each}`, COMMIT)?.[0] !== each) return false;
      }
      for (const each of open.splice(0)) rounds.end(each);
      finished.heard('3.1.0', rounds.oldest);
      return finished.size === 0 && rounds.size === 0;
    }));
  });
});
