/**
 * A checker of histories (Wing and Gong, with Lowe's cache of visited states): is there one order of the operations
 * that respects real time and in which a register would have given these answers?
 */

/** An operation on one key, with the times of its call and return. */
export interface Operation {
  readonly process: string;
  readonly call: number;
  readonly return: number;
  readonly action:
    | { readonly kind: 'get'; readonly result: number | null }
    | { readonly kind: 'set'; readonly value: number }
    | { readonly kind: 'cas'; readonly expected: number; readonly value: number; readonly succeeded: boolean }
    | { readonly kind: 'del'; readonly existed: boolean };
}

/** Whether a history on one key, initially absent, is linearizable. */
export function isLinearizable(history: readonly Operation[]): boolean {
  const operations = [...history].sort((a, b) => a.call - b.call);
  const seen = new Set<string>();
  const search = (done: bigint, state: number | null): boolean => {
    if (done === (1n << BigInt(operations.length)) - 1n) return true;
    const key = `${done} ${state}`;
    if (seen.has(key)) return false;
    seen.add(key);
    const pending = operations
      .map((operation, index) => ({ operation, index }))
      .filter(({ index }) => ((done >> BigInt(index)) & 1n) === 0n);
    const firstReturn = Math.min(...pending.map(({ operation }) => operation.return));
    return pending.some(({ operation, index }) => {
      // An operation called after another returned cannot precede it.
      if (operation.call > firstReturn) return false;
      const next = apply(operation.action, state);
      return next !== undefined && search(done | (1n << BigInt(index)), next.state);
    });
  };
  return search(0n, null);
}

/** The resulting state, or undefined if a register in this state would have answered otherwise. */
function apply(action: Operation['action'], state: number | null): { readonly state: number | null } | undefined {
  if (action.kind === 'get') return action.result === state ? { state } : undefined;
  if (action.kind === 'set') return { state: action.value };
  if (action.kind === 'del') return action.existed === (state !== null) ? { state: null } : undefined;
  const succeeds = state === action.expected;
  if (succeeds !== action.succeeded) return undefined;
  return { state: succeeds ? action.value : state };
}
