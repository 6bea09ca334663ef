/**
 * Binary heap of values by a numeric key, smallest first; equal keys leave in the order of arrival. Keys, ranks and
 * values lie in parallel arrays, so that pushing and popping allocate nothing.
 */
export class Heap<T> {
  // Indexes stay below `size`, so `!` is safe and costs nothing.
  private readonly keys: number[] = [];
  private readonly ranks: number[] = [];
  private readonly values: T[] = [];
  private nextRank = 0;

  get size(): number {
    return this.values.length;
  }

  /** The smallest key; Infinity when the heap is empty. */
  get minKey(): number {
    return this.keys.length === 0 ? Infinity : this.keys[0]!;
  }

  /** The value with the smallest key, left where it is; undefined when the heap is empty. */
  get top(): T | undefined {
    return this.values[0];
  }

  push(key: number, value: T): void {
    const rank = this.nextRank++;
    let at = this.keys.length;
    this.keys.push(key);
    this.ranks.push(rank);
    this.values.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.keys[parent]! <= key) break;
      this.move(parent, at);
      at = parent;
    }
    this.place(at, key, rank, value);
  }

  /** Removes and returns the value with the smallest key; undefined when the heap is empty. */
  pop(): T | undefined {
    const size = this.keys.length;
    if (size === 0) return undefined;
    const top = this.values[0];
    const key = this.keys.pop()!;
    const rank = this.ranks.pop()!;
    const value = this.values.pop()!;
    if (size > 1) this.sink(key, rank, value);
    return top;
  }

  private sink(key: number, rank: number, value: T): void {
    const size = this.keys.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.before(child + 1, child)) child += 1;
      if (key < this.keys[child]! || (key === this.keys[child]! && rank < this.ranks[child]!)) break;
      this.move(child, at);
      at = child;
    }
    this.place(at, key, rank, value);
  }

  private before(a: number, b: number): boolean {
    return this.keys[a]! < this.keys[b]! || (this.keys[a]! === this.keys[b]! && this.ranks[a]! < this.ranks[b]!);
  }

  private move(from: number, to: number): void {
    this.place(to, this.keys[from]!, this.ranks[from]!, this.values[from]!);
  }

  private place(at: number, key: number, rank: number, value: T): void {
    this.keys[at] = key;
    this.ranks[at] = rank;
    this.values[at] = value;
  }
}
