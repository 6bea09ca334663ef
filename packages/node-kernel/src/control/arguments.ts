import { isListOf, isOneOf, isRecord, isRecordOf, isText, isWhole } from '@mk/monitor-proto/guards';
import { OperationError } from '../monitor/operations.ts';

/** Reads typed arguments from a control request; throws BAD_REQUEST with the name of an argument that does not fit. */
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
    if (isWhole(value, range.min, range.max)) return value;
    throw this.bad(name, `must be a whole number from ${range.min} to ${range.max}`);
  }

  oneOf<T extends string>(name: string, choices: readonly T[], otherwise?: T): T {
    const value = this.values[name] ?? otherwise;
    if (isOneOf(choices, value)) return value;
    throw this.bad(name, `must be one of ${choices.join(', ')}`);
  }

  text(name: string): string {
    const value = this.values[name];
    if (typeof value !== 'string') throw this.bad(name, 'must be a text');
    return value;
  }

  object(name: string): Readonly<Record<string, unknown>> {
    const value = this.values[name];
    if (!isRecord(value)) throw this.bad(name, 'must be an object');
    return value;
  }

  /** A list of texts; empty when absent. */
  texts(name: string): readonly string[] {
    const value = this.values[name] ?? [];
    if (!isListOf(value, isText)) throw this.bad(name, 'must be a list of texts');
    return value;
  }

  /** A record of texts; empty when absent. */
  names(name: string): Readonly<Record<string, string>> {
    const value = this.values[name] ?? {};
    if (!isRecordOf(value, isText)) throw this.bad(name, 'must be an object of texts');
    return value;
  }

  /** A list of core ids; null for "all". */
  cores(name: string): readonly number[] | null {
    const value = this.values[name];
    if (value === 'all') return null;
    if (!isListOf(value, isInteger)) throw this.bad(name, 'must be a list of core ids, or "all"');
    return value;
  }

  private bad(name: string, text: string): OperationError {
    return new OperationError('BAD_REQUEST', `${this.verb}: ${name} ${text}`);
  }
}

function isInteger(value: unknown): value is number {
  return isWhole(value, Number.MIN_SAFE_INTEGER);
}
