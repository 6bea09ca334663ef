import { known } from '@mk/monitor-proto/assert';
import { MkError } from './mk-error.ts';

/** A program's invariant; false, or a text that says what is wrong, breaks it. */
export type Predicate = () => boolean | string;

/** Predicates that must hold whenever another thread of the dispatcher can look. */
export class Invariants {
  private readonly all: { readonly name: string; readonly holds: Predicate }[] = [];

  /** Returns the function that withdraws it. */
  always(name: string, holds: Predicate): () => void {
    const invariant = { name, holds };
    this.all.push(invariant);
    this.check(invariant);
    return () => {
      const at = this.all.indexOf(invariant);
      if (at >= 0) this.all.splice(at, 1);
    };
  }

  /** Throws INVARIANT_VIOLATED for the first that does not hold. */
  checkAll(): void {
    for (let i = 0; i < this.all.length; i++) this.check(known(this.all[i]));
  }

  private check({ name, holds }: { readonly name: string; readonly holds: Predicate }): void {
    const result = holds();
    if (result !== true)
      throw new MkError('INVARIANT_VIOLATED', typeof result === 'string' ? `${name}: ${result}` : name);
  }
}
