/**
 * The hosts that cores run on, numbered in order of appearance. A host keeps its number when all its cores are gone, so
 * that a returning core finds its package unchanged.
 */
export class Hosts {
  private readonly numbers = new Map<string, number>();

  /** Notes a core's host; '' counts as a host too: an unknown one. */
  learn(host: string): void {
    if (!this.numbers.has(host)) this.numbers.set(host, this.numbers.size);
  }

  /** Whether there is more than one: messages between hosts cost more than any assumed for a package. */
  get several(): boolean {
    return this.count > 1;
  }

  get count(): number {
    return this.numbers.size;
  }

  /** The number of a known host. */
  numberOf(host: string): number {
    return this.numbers.get(host) ?? 0;
  }
}
