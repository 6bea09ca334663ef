import type { ShootdownPlan } from './shootdown.ts';

/**
 * The paper's measurements of a shootdown on the 8×4-core AMD machine, in cycles (Baumann et al. 2009, figure 6). The
 * machine's costs were fitted to unicast, at every number of cores from 2; they must predict the rest.
 */
export const PAPER_UNICAST: readonly number[] = [
  1120, 1250, 1300, 1370, 1530, 1510, 1730, 1810, 1920, 2090, 2410, 3070, 3320, 3710, 4340, 5130, 5550, 6090, 6640,
  7290, 7740, 8380, 8810, 9260, 9820, 10210, 10710, 11180, 11690, 12270, 12720,
];

export const PAPER_SHOOTDOWN: Readonly<Record<number, Readonly<Record<ShootdownPlan, number>>>> = {
  2: { broadcast: 1170, unicast: 1120, multicast: 1340, numa: 1370 },
  8: { broadcast: 3600, unicast: 1730, multicast: 2540, numa: 2400 },
};

/** Unicast at this many cores; null where the paper has no value. */
export function paperUnicast(cores: number): number | null {
  return PAPER_UNICAST[cores - 2] ?? null;
}
