/** Type guards for outside input. None throws. */

/** Whether a value is an object with keys: neither null nor an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a value is a safe integer from `min` to `max`. */
export function isWhole(value: unknown, min = 0, max: number = Number.MAX_SAFE_INTEGER): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

export function isOneOf<const T>(choices: readonly T[], value: unknown): value is T {
  return choices.some((choice) => choice === value);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

export function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every((item) => isItem(item));
}

/** Whether a value is an object whose values all pass one guard. */
export function isRecordOf<T>(
  value: unknown,
  isItem: (item: unknown) => item is T,
): value is Readonly<Record<string, T>> {
  return isRecord(value) && Object.values(value).every((item) => isItem(item));
}
