/** One side of a comparison: measures a block and tells its median. */
export type Side = () => Promise<number>;

/** Blocks that have to bring no gain. */
const LOOK_BACK = 4;
/** A side that took less than this part of its best time before is still getting faster. */
const GAIN = 0.9;

/**
 * Warms the sides in turns, a block each and `most` blocks at the most, until none of them gets faster any more: V8 goes on
 * compiling what runs often for thousands of calls, in every process of a cluster at once. Prints the medians of the blocks.
 */
export async function warmToRest(sides: readonly Side[], most = 40): Promise<void> {
  const seen = sides.map(() => [] as number[]);
  for (let block = 0; block < most && !seen.every(atRest); block++) {
    for (const [i, side] of sides.entries()) seen[i]!.push(await side());
  }
  for (const [i, blocks] of seen.entries())
    process.stdout.write(`warm-up of side ${i + 1}: ${blocks.map((value) => value.toPrecision(3)).join(', ')}\n`);
}

function atRest(blocks: readonly number[]): boolean {
  if (blocks.length < 2 * LOOK_BACK) return false;
  const before = Math.min(...blocks.slice(0, -LOOK_BACK));
  return Math.min(...blocks.slice(-LOOK_BACK)) > GAIN * before;
}
