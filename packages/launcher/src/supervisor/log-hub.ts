/** Log lines of all processes of a foreground cluster: keeps the last ones, and hands new ones to followers. */
export class LogHub {
  private readonly kept: string[] = [];
  private start = 0;
  private readonly followers = new Set<(line: string) => void>();

  /** `capacity`: 10,000 lines take about 3 MB, and hold the boot of 64 cores at level debug. */
  constructor(private readonly capacity = 10_000) {}

  add(line: string): void {
    if (this.kept.length < this.capacity) this.kept.push(line);
    else {
      this.kept[this.start] = line;
      this.start = (this.start + 1) % this.capacity;
    }
    for (const follower of this.followers) follower(line);
  }

  /** The kept lines, oldest first. */
  lines(): readonly string[] {
    return [...this.kept.slice(this.start), ...this.kept.slice(0, this.start)];
  }

  /** Hands on every line from now on; the returned function ends that. */
  follow(onLine: (line: string) => void): () => void {
    this.followers.add(onLine);
    return () => void this.followers.delete(onLine);
  }
}
