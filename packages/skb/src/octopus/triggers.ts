/** Who waits for which records: triggers and subscriptions, found by name or by pattern. Pure. */
import type { ParsedRecord } from '@mk/monitor-proto/octopus/record';

/** A client's standing query; ids are the client's own. */
export interface Watcher {
  readonly client: string;
  readonly id: number;
  readonly query: ParsedRecord;
  readonly mode: number;
  /** Rises with installation: notifications of one change are in this order. */
  readonly serial: number;
}

/** Watchers of one kind; those of one concrete name are found without looking at the others. */
export class WatcherTable {
  readonly #byClient = new Map<string, Map<number, Watcher>>();
  readonly #byName = new Map<string, Set<Watcher>>();
  readonly #byPattern = new Set<Watcher>();

  get patternCount(): number {
    return this.#byPattern.size;
  }

  countOf(client: string): number {
    return this.#byClient.get(client)?.size ?? 0;
  }

  get(client: string, id: number): Watcher | undefined {
    return this.#byClient.get(client)?.get(id);
  }

  add(watcher: Watcher): void {
    const own = this.#byClient.get(watcher.client) ?? new Map<number, Watcher>();
    this.#byClient.set(watcher.client, own.set(watcher.id, watcher));
    const { name } = watcher.query;
    if (name.kind !== 'is') this.#byPattern.add(watcher);
    else this.#byName.set(name.name, (this.#byName.get(name.name) ?? new Set()).add(watcher));
  }

  remove(watcher: Watcher): void {
    const own = this.#byClient.get(watcher.client);
    own?.delete(watcher.id);
    if (own?.size === 0) this.#byClient.delete(watcher.client);
    this.#byPattern.delete(watcher);
    const { name } = watcher.query;
    if (name.kind !== 'is') return;
    const same = this.#byName.get(name.name);
    same?.delete(watcher);
    if (same?.size === 0) this.#byName.delete(name.name);
  }

  removeClient(client: string): void {
    for (const watcher of [...(this.#byClient.get(client)?.values() ?? [])]) this.remove(watcher);
  }

  /** Watchers that may concern a record of that name, oldest first. */
  candidates(name: string): readonly Watcher[] {
    const found = [...(this.#byName.get(name) ?? []), ...this.#byPattern];
    return found.length < 2 ? found : found.sort((a, b) => a.serial - b.serial);
  }
}
