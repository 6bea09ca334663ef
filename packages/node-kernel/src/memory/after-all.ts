/** Begins a piece of work for each item; `done` is called once all have said that they are over: now, when there are none. */
export function afterAll<T>(items: readonly T[], begin: (item: T, over: () => void) => void, done: () => void): void {
  let left = items.length + 1;
  const over = (): void => {
    left -= 1;
    if (left === 0) done();
  };
  for (const item of items) begin(item, over);
  over();
}
