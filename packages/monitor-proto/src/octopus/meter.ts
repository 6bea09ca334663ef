/** Counts work in steps of some ten to thirty nanoseconds: a state machine has no clock to bound a turn by. */
export class Meter {
  steps = 0;

  constructor(private readonly most = Infinity) {}

  /** Whether the turn has used up its share. */
  get full(): boolean {
    return this.steps >= this.most;
  }
}
