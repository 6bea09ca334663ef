/** Counts work, in steps that cost some ten to thirty nanoseconds each: a state machine has no clock to bound a turn by. */
export class Meter {
  steps = 0;

  constructor(private readonly most = Infinity) {}

  /** Whether the turn has done as much as it may. */
  get full(): boolean {
    return this.steps >= this.most;
  }
}
