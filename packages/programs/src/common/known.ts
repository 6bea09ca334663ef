/** The value, which the program knows to be there; throws an Error otherwise. */
export function known<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('a value that must be there is missing');
  return value;
}

/** The element at an index that wraps round the list, which is not empty. */
export function roundRobin<T>(list: readonly T[], place: number): T {
  return known(list[place % list.length]);
}
