
/** One side of a comparison: measures a block and tells its median. */
export type Side = () => Promise<number>;

/**
 * Warms the sides in turns, a block each, until none of them gets faster any more: V8 goes on compiling what runs often for
 * thousands of calls, in every process of a cluster at once, and lets go of what has not run for some seconds; so no side may wait
 * long for its turn. At rest: the best of the last `LOOK_BACK` blocks is not a tenth better than the best one before them.
 */
const LOOK_BACK = 4;
const GAIN = 0.9;

export async function warmToRest(sides: readonly Side[], most = 40): Promise<void> {
  const seen = sides.map(() => [] as number[]);
  for (let block = 0; block < most; block++) {
    for (const [i, side] of sides.entries()) seen[i]!.push(await side());
    if (seen.every(atRest)) break;
  }
  for (const [i, blocks] of seen.entries()) process.stdout.write(`warm-up of side ${i + 1}: ${blocks.map((value) => value.toPrecision(3)).join(', ')}\n`);
}

function atRest(blocks: readonly number[]): boolean {
  if (blocks.length < 2 * LOOK_BACK) return false;
  const before = Math.min(...blocks.slice(0, -LOOK_BACK));
  return Math.min(...blocks.slice(-LOOK_BACK)) > GAIN * before;
}
