/**
 * Measures when it is asked to over IPC: `{ of, count, answers, phases }` has `once(of, answers)` run `phases` times, `count` times over;
 * the answer is the median of those in nanoseconds. Ends with the process that asks.
 */
export function measureWhenAsked(once) {
  process.on('message', async ({ of, count, answers, phases }) => {
    const times = [];
    for (let i = 0; i < count; i++) {
      const startedAt = performance.now();
      for (let phase = 0; phase < phases; phase++) await once(of, answers);
      times.push(performance.now() - startedAt);
    }
    process.send({ type: 'result', value: times.sort((a, b) => a - b)[count >> 1] * 1e6 });
  });
  process.on('disconnect', () => process.exit());
}

/** A promise of that many answers, and the function to call for each that comes. */
export function awaited(answers) {
  let waiting = answers;
  let heard;
  const all = new Promise((resolve) => {
    heard = () => --waiting === 0 && resolve();
  });
  return { all, heard };
}
