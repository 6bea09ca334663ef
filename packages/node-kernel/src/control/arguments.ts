import { OperationError } from '../monitor/operations.ts';

/** Reads typed arguments out of a control request; what does not fit ends in BAD_REQUEST that names the argument. */
export class Arguments {
  constructor(
    private readonly verb: string,
    private readonly values: Readonly<Record<string, unknown>>,
    allowed: readonly string[],
  ) {
    for (const name of Object.keys(values)) {
      if (!allowed.includes(name))
        throw this.bad(name, `is unknown; ${verb} takes ${allowed.join(', ') || 'no arguments'}`);
    }
  }

  whole(name: string, range: { readonly min: number; readonly max: number; readonly otherwise?: number }): number {
    const value = this.values[name] ?? range.otherwise;
    if (!Number.isSafeInteger(value) || (value as number) < range.min || (value as number) > range.max) {
      throw this.bad(name, `must be a whole number from ${range.min} to ${range.max}`);
    }
    return value as number;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], otherwise?: T): T {
    const value = this.values[name] ?? otherwise;
    if (!choices.includes(value as T)) throw this.bad(name, `must be one of ${choices.join(', ')}`);
    return value as T;
  }

  text(name: string): string {
    const value = this.values[name];
    if (typeof value !== 'string') throw this.bad(name, 'must be a text');
    return value;
  }

  object(name: string): Readonly<Record<string, unknown>> {
    const value = this.values[name];
    if (typeof value !== 'object' || value === null) throw this.bad(name, 'must be an object');
    return value as Readonly<Record<string, unknown>>;
  }

  /** A list of texts; absent: none. */
  texts(name: string): readonly string[] {
    const value = this.values[name] ?? [];
    if (!Array.isArray(value) || !value.every((text) => typeof text === 'string'))
      throw this.bad(name, 'must be a list of texts');
    return value as readonly string[];
  }

  /** A record of texts; absent: an empty one. */
  names(name: string): Readonly<Record<string, string>> {
    const value = this.values[name] ?? {};
    if (typeof value !== 'object' || Array.isArray(value) || !Object.values(value!).every((x) => typeof x === 'string'))
      throw this.bad(name, 'must be an object of texts');
    return value as Readonly<Record<string, string>>;
  }

  /** A list of core ids, or null for "all". */
  cores(name: string): readonly number[] | null {
    const value = this.values[name];
    if (value === 'all') return null;
    if (!Array.isArray(value) || !value.every((core) => Number.isSafeInteger(core)))
      throw this.bad(name, 'must be a list of core ids, or "all"');
    return value as readonly number[];
  }

  private bad(name: string, text: string): OperationError {
    return new OperationError('BAD_REQUEST', `${this.verb}: ${name} ${text}`);
  }
}
