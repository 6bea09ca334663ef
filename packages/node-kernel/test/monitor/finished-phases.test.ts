import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { limit } from '@mk/monitor-proto/limits';
import { FinishedPhases, OpenRounds } from '@mk/node-kernel/monitor/agreement/finished';

const PREPARE = 1;
const COMMIT = 2;

describe('rounds that are over (A7)', () => {
  test('a phase that was held up is known however many phases of others came in between', () => {
    const finished = new FinishedPhases();
    finished.of('1.1.5').heard(7);
    finished.of('1.1.5').add('1.1.5', COMMIT, 7, [42]);
    for (let n = 0; n < 2 * limit('operationsRemembered'); n += 1)
      finished.of(`2.1.${n}`).add(`2.1.${n}`, COMMIT, n, []);
    expect(finished.of('1.1.5').get('1.1.5', COMMIT)).toEqual([42]);
    expect(finished.of('1.1.5').isOver(7)).toBe(false);
  });

  test('what the initiator says is over is forgotten, and known to be late', () => {
    const finished = new FinishedPhases();
    for (let round = 1; round <= 100; round += 1) finished.of(`1.1.${round}`).add(`1.1.${round}`, COMMIT, round, []);
    finished.of('1.1.101').heard(91);
    expect(finished.size).toBe(10);
    expect([
      finished.of('1.1.90').isOver(90),
      finished.of('1.1.91').isOver(91),
      finished.of('1.2.90').isOver(90),
    ]).toEqual([true, false, false]);
    finished.of('1.1.50').heard(3); // late itself: reports less than is known
    expect(finished.of('1.1.90').isOver(90)).toBe(true);
  });

  test('each phase of a round has its own answer', () => {
    const first = new FinishedPhases().of('1.1.1');
    first.add('1.1.1', PREPARE, 1, [1]);
    expect(first.get('1.1.1', COMMIT)).toBeUndefined();
    first.add('1.1.1', COMMIT, 1, [2]);
    expect([first.get('1.1.1', PREPARE), first.get('1.1.1', COMMIT), first.size]).toEqual([[1], [2], 1]);
  });

  test('an incarnation that is gone takes its memory along, the next one of the same core has its own', () => {
    const finished = new FinishedPhases();
    finished.of('1.1.1').add('1.1.1', COMMIT, 1, [1]);
    finished.of('1.2.1').add('1.2.1', COMMIT, 1, [2]);
    finished.forget(1, 1);
    expect([finished.of('1.1.1').get('1.1.1', COMMIT), finished.of('1.2.1').get('1.2.1', COMMIT)]).toEqual([
      undefined,
      [2],
    ]);
  });

  test('a message is taken for late only when its round has ended at the initiator, and what is open is remembered', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 200 }), (ends) => {
        const rounds = new OpenRounds();
        const finished = new FinishedPhases();
        const open: number[] = [];
        for (const end of ends) {
          const round = rounds.begin();
          open.push(round);
          finished.of(`3.1.${round}`).heard(rounds.oldest);
          finished.of(`3.1.${round}`).add(`3.1.${round}`, COMMIT, round, [round]);
          if (end < open.length) rounds.end(open.splice(end, 1)[0]!);
          for (const each of open)
            if (
              finished.of(`3.1.${each}`).isOver(each) ||
              finished.of(`3.1.${each}`).get(`3.1.${each}`, COMMIT)?.[0] !== each
            )
              return false;
        }
        for (const each of open.splice(0)) rounds.end(each);
        finished.of('3.1.0').heard(rounds.oldest);
        return finished.size === 0 && rounds.size === 0;
      }),
    );
  });
});
