/**
 * The hosts that cores said they run on, numbered in order of appearance; a number stays with its host when all its
 * cores are gone, so that a core that comes back finds its package as it was.
 */
export class Hosts {
  private readonly numbers = new Map<string, number>();

  /** Notes a core's host; '' counts as a host too: an unknown one. */
  learn(host: string): void {
    if (!this.numbers.has(host)) this.numbers.set(host, this.numbers.size);
  }

  /** Whether cores run on more than one: then messages between them cost more than any assumed for a package. */
  get several(): boolean {
    return this.count > 1;
  }

  get count(): number {
    return this.numbers.size;
  }

  /** The number of a host that was learnt. */
  numberOf(host: string): number {
    return this.numbers.get(host) ?? 0;
  }
}
