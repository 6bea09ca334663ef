import { describe, expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { accusersNeeded } from '@mk/node-kernel/monitor/views/quarantine';
import { amongFaults, atOnce, earlierLife, enough, oneAfterTheOther, tooFew } from './accusations.ts';

describe('quarantine by view', () => {
  test('takes a majority of the others, and two at least', () => {
    expect([2, 3, 4, 5, 6, 7, 16].map(accusersNeeded)).toEqual([2, 2, 2, 3, 3, 4, 8]);
  });

  test('does not come of fewer', () => {
    expect(tooFew(createPrng)).toBeNull();
  });

  test('puts out a member and a leader', () => {
    expect(enough(createPrng)).toBeNull();
  });

  test('waits for no lease', () => {
    expect(atOnce(createPrng)).toBeNull();
  });

  test('does not concern the next life', () => {
    expect(earlierLife(createPrng)).toBeNull();
  });

  test('takes no more at once than the view can spare', () => {
    expect(oneAfterTheOther(createPrng)).toBeNull();
  });

  test('keeps V1 and V3 and heals, whatever fails meanwhile, in 12 seeds', () => {
    for (let seed = 0; seed < 12; seed += 1) expect([seed, amongFaults(createPrng, seed)]).toEqual([seed, null]);
  });
});
