/** The latest values of an endless run, in bounded memory. */
export class Ring<T> {
  private readonly kept: T[] = [];
  private start = 0;
  /** How many were ever added, which shows when something is new. */
  added = 0;

  constructor(readonly capacity: number) {}

  add(value: T): void {
    this.added += 1;
    if (this.kept.length < this.capacity) this.kept.push(value);
    else {
      this.kept[this.start] = value;
      this.start = (this.start + 1) % this.capacity;
    }
  }

  clear(): void {
    this.kept.length = 0;
    this.start = 0;
  }

  get length(): number {
    return this.kept.length;
  }

  /** The kept values, oldest first. */
  toArray(): T[] {
    return [...this.kept.slice(this.start), ...this.kept.slice(0, this.start)];
  }

  /** The last `count` that pass, newest last. */
  lastThat(count: number, passes: (value: T) => boolean): T[] {
    const found: T[] = [];
    for (let i = this.kept.length - 1; i >= 0 && found.length < count; i--) {
      const value = this.kept[(this.start + i) % this.kept.length]!;
      if (passes(value)) found.push(value);
    }
    return found.reverse();
  }
}
