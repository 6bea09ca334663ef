/** Triggers and subscriptions, found by name or pattern. Pure. */
import { sequenceOf } from '@mk/monitor-proto/octopus/names';
import type { NameQuery, ParsedRecord } from '@mk/monitor-proto/octopus/record';
import { OCTOPUS_LIMITS } from './limits.ts';
import { Refusal } from './results.ts';

/** A client's standing query; ids are the client's own. */
export interface Watcher {
  readonly client: string;
  readonly id: number;
  readonly query: ParsedRecord;
  readonly mode: number;
  /** Rises with installation: the notifications of one change come in this order. */
  readonly serial: number;
}

/** Watchers of one kind; finds those of a concrete name, or of a sequence, without a scan. */
export class WatcherTable {
  private readonly byClient = new Map<string, Map<number, Watcher>>();
  private readonly byPlace = new Map<string, Set<Watcher>>();
  private readonly byPattern = new Set<Watcher>();

  get empty(): boolean {
    return this.byClient.size === 0;
  }

  countOf(client: string): number {
    return this.byClient.get(client)?.size ?? 0;
  }

  get(client: string, id: number): Watcher | undefined {
    return this.byClient.get(client)?.get(id);
  }

  has(watcher: Watcher): boolean {
    return this.get(watcher.client, watcher.id) === watcher;
  }

  /** Throws a `Refusal` unless the client may add a watcher of that id. */
  checkRoom(client: string, id: number, most: number): void {
    if (this.get(client, id) !== undefined) throw new Refusal('TRIGGER_EXISTS');
    if (this.countOf(client) >= most)
      throw new Refusal('LIMIT_REACHED', `the client has ${most} of them, as many as it may`);
  }

  /** Patterns have a bound of their own: what watches a name, as waits for locks do, never depends on it. */
  checkPatterns({ name }: ParsedRecord): void {
    if (placeOf(name) === undefined && this.byPattern.size >= OCTOPUS_LIMITS.maxPatternTriggers)
      throw new Refusal('LIMIT_REACHED', 'there are as many on patterns as may be');
  }

  add(watcher: Watcher): void {
    const own = this.byClient.get(watcher.client) ?? new Map<number, Watcher>();
    this.byClient.set(watcher.client, own.set(watcher.id, watcher));
    const place = placeOf(watcher.query.name);
    if (place === undefined) this.byPattern.add(watcher);
    else this.byPlace.set(place, (this.byPlace.get(place) ?? new Set()).add(watcher));
  }

  remove(watcher: Watcher): void {
    const own = this.byClient.get(watcher.client);
    own?.delete(watcher.id);
    if (own?.size === 0) this.byClient.delete(watcher.client);
    const place = placeOf(watcher.query.name);
    if (place === undefined) return void this.byPattern.delete(watcher);
    const same = this.byPlace.get(place);
    same?.delete(watcher);
    if (same?.size === 0) this.byPlace.delete(place);
  }

  removeClient(client: string): void {
    for (const watcher of [...(this.byClient.get(client)?.values() ?? [])]) this.remove(watcher);
  }

  /**
   * Watchers installed before `serial` that may concern a record of that name, oldest first; tolerates additions and
   * removals.
   */
  *candidates(name: string, serial: number): Generator<Watcher, void> {
    const sequence = sequenceOf(name);
    const sources = [this.byPlace.get(nameKey(name)), this.byPattern];
    if (sequence !== undefined) sources.push(this.byPlace.get(sequenceKey(sequence.base)));
    const heads = sources.filter((source) => source !== undefined).map((source) => new Ahead(source));
    for (;;) {
      let first: Ahead | undefined;
      for (const head of heads) if (head.serial < (first?.serial ?? serial)) first = head;
      const watcher = first?.take();
      if (watcher === undefined) return;
      if (this.has(watcher)) yield watcher;
    }
  }
}

/** An iterator over watchers with look-ahead. A Set's iterator tolerates additions and deletions. */
class Ahead {
  private readonly rest: Iterator<Watcher, unknown>;
  private head: Watcher | undefined;

  constructor(watchers: Iterable<Watcher>) {
    this.rest = watchers[Symbol.iterator]();
    this.take();
  }

  get serial(): number {
    return this.head?.serial ?? Infinity;
  }

  take(): Watcher | undefined {
    const taken = this.head;
    const next = this.rest.next();
    this.head = next.done === true ? undefined : next.value;
    return taken;
  }
}

function placeOf(query: NameQuery): string | undefined {
  if (query.kind === 'is') return nameKey(query.name);
  return query.kind === 'sequence' ? sequenceKey(query.base) : undefined;
}

function nameKey(name: string): string {
  return `= ${name}`;
}

function sequenceKey(base: string): string {
  return `_ ${base}`;
}
