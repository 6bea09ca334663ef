/** The keys of a table, in order. Sound because a table has no keys beyond those of its type. */
export function keysOf<T extends object>(table: T): Extract<keyof T, string>[] {
  const keys: Extract<keyof T, string>[] = [];
  for (const key in table) if (Object.hasOwn(table, key)) keys.push(key);
  return keys;
}

/** Each key of a table with its row, in order. */
export function entriesOf<T extends object>(table: T): { [K in keyof T]: [K, T[K]] }[Extract<keyof T, string>][] {
  return keysOf(table).map((key) => [key, table[key]]);
}

/** Whether a text is a key of a table. */
export function isKeyOf<T extends object>(table: T, key: PropertyKey): key is keyof T {
  return Object.hasOwn(table, key);
}

/** A table with a row for each of these keys. */
export function tableOf<K extends string, V>(keys: readonly K[], row: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, row(key)])) as Record<K, V>;
}
