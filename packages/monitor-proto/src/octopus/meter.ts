/** Counts work, in steps that cost some ten nanoseconds each: state machines have no clock to bound a turn by. */
export class Meter {
  steps = 0;
}
