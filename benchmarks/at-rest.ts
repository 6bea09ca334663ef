/** One side of a comparison: measures a block and returns its median. */
export type Side = () => Promise<number>;

/** How many blocks in a row must bring no gain. */
const LOOK_BACK = 4;
/** A side that took less than this fraction of its best time is still getting faster. */
const GAIN = 0.9;

/**
 * Warms the sides in turns, one block each, until none gets faster or `most` blocks have run: in every process of a
 * cluster V8 keeps compiling frequent code for thousands of calls. Prints the medians of the blocks.
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
