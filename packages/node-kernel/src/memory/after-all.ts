/** Starts work on each item and calls `done` when all have finished, or at once when there are none. */
export function afterAll<T>(items: readonly T[], begin: (item: T, over: () => void) => void, done: () => void): void {
  let left = items.length + 1;
  const over = (): void => {
    left -= 1;
    if (left === 0) done();
  };
  for (const item of items) begin(item, over);
  over();
}
