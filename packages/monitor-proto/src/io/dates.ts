/**
 * A clock of dates, milliseconds since 1970, for stamps whose differences count: it starts at the date of the call and
 * goes on with the monotonic clock, so that nobody who sets the date lengthens or shortens what lies between two stamps.
 */
export function steadyDates(): () => number {
  const { atMs, date } = { atMs: performance.now(), date: new Date().getTime() };
  return () => date + performance.now() - atMs;
}

/**
 * When this was called, as a date by the clock as it is set when one asks: log lines are told from older ones by it, even
 * if the date was set back since. Never later than the moment itself.
 */
export function momentByDate(): () => number {
  const atMs = performance.now();
  return () => Math.floor(new Date().getTime() - (performance.now() - atMs));
}
