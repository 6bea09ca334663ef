/** The facts that the engine must hold; a restarted engine is filled from them. Pure; keeps insertion order. */
import type { Fact, FactPattern } from './fact.ts';
import { factText, matchesPattern } from './fact.ts';
import type { FactChange, FactUpdate } from '../engine/skb-engine.ts';

export class FactStore {
  /** By name and arity, then by text: patterns only search one predicate. */
  private readonly predicates = new Map<string, Map<string, Fact>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Applies removals, then additions; returns what actually changed. A bad fact throws and changes nothing. */
  apply(update: FactUpdate): FactChange {
    const added = (update.add ?? []).map((each) => ({ fact: each, text: factText(each) }));
    const removed = (update.remove ?? []).flatMap((pattern) => this.remove(pattern));
    return { removed, added: added.filter((each) => this.add(each.fact, each.text)).map((each) => each.fact) };
  }

  /** Every fact of a name, or every fact. */
  list(name?: string): readonly Fact[] {
    const all = [...this.predicates.values()].flatMap((facts) => [...facts.values()]);
    return name === undefined ? all : all.filter((each) => each.name === name);
  }

  private add(added: Fact, text: string): boolean {
    const key = keyOf(added);
    const facts = this.predicates.get(key) ?? new Map<string, Fact>();
    if (facts.has(text)) return false;
    this.predicates.set(key, facts.set(text, added));
    this.count += 1;
    return true;
  }

  private remove(pattern: FactPattern): readonly Fact[] {
    const facts = this.predicates.get(keyOf(pattern)) ?? new Map<string, Fact>();
    const gone = [...facts].filter(([, each]) => matchesPattern(pattern, each));
    for (const [text] of gone) facts.delete(text);
    this.count -= gone.length;
    return gone.map(([, each]) => each);
  }
}

function keyOf({ name, args }: { readonly name: string; readonly args: readonly unknown[] }): string {
  return `${name}/${args.length}`;
}
