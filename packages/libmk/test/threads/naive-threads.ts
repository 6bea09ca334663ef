/**
 * The simple model beside the run queue: threads are lists of operations, a step is a loop that finds whose turn it is.
 * No promises, no timers, no shared code.
 */
export type Op =
  | { readonly op: 'yield' }
  | { readonly op: 'lock' | 'unlock'; readonly mutex: number }
  | { readonly op: 'wait' | 'post'; readonly semaphore: number }
  | { readonly op: 'sleep'; readonly ns: number }
  | { readonly op: 'spawn'; readonly body: readonly Op[] }
  | { readonly op: 'join' };

interface Model {
  readonly name: string;
  readonly ops: readonly Op[];
  at: number;
  children: Model[];
  joiner: Model | null;
  ended: boolean;
}

/** What the threads do, in order: `thread op-number`. */
export function runNaively(bodies: readonly (readonly Op[])[]): readonly string[] {
  const log: string[] = [];
  let ready: Model[] = [];
  let yielded: Model[] = [];
  const holders = new Map<number, Model>();
  const lockers = new Map<number, Model[]>();
  const counts = new Map<number, number>();
  const takers = new Map<number, Model[]>();
  const sleepers: { at: number; thread: Model }[] = [];
  let now = 0;
  const make = (name: string, ops: readonly Op[]): Model => {
    const thread = { name, ops, at: 0, children: [], joiner: null, ended: false };
    ready.push(thread);
    return thread;
  };
  const list = (of: Map<number, Model[]>, key: number): Model[] => of.get(key) ?? of.set(key, []).get(key)!;
  const wake = (thread: Model): void => void ready.push(thread);

  /** True: continues at once. */
  const perform = (thread: Model, op: Op): boolean => {
    switch (op.op) {
      case 'yield':
        yielded.push(thread);
        return false;
      case 'lock':
        if (!holders.has(op.mutex)) return holders.set(op.mutex, thread).size > 0;
        if (holders.get(op.mutex) === thread) return true;
        list(lockers, op.mutex).push(thread);
        return false;
      case 'unlock': {
        if (holders.get(op.mutex) !== thread) return true;
        const next = list(lockers, op.mutex).shift();
        if (next === undefined) holders.delete(op.mutex);
        else {
          holders.set(op.mutex, next);
          wake(next);
        }
        return true;
      }
      case 'wait': {
        const count = counts.get(op.semaphore) ?? 0;
        if (count > 0) return counts.set(op.semaphore, count - 1).size > 0;
        list(takers, op.semaphore).push(thread);
        return false;
      }
      case 'post': {
        const next = list(takers, op.semaphore).shift();
        if (next === undefined) counts.set(op.semaphore, (counts.get(op.semaphore) ?? 0) + 1);
        else wake(next);
        return true;
      }
      case 'sleep':
        sleepers.push({ at: now + op.ns, thread });
        return false;
      case 'spawn':
        thread.children.push(make(`${thread.name}.${thread.children.length}`, op.body));
        return true;
      case 'join': {
        const child = thread.children.find(({ joiner, ended }) => joiner === null || ended);
        if (child === undefined) return true;
        child.joiner = thread;
        if (child.ended) wake(thread);
        return false;
      }
    }
  };

  const step = (thread: Model): void => {
    for (;;) {
      const op = thread.ops[thread.at];
      if (op === undefined) {
        thread.ended = true;
        for (const [mutex, holder] of holders) if (holder === thread) log.push(`${thread.name} holds ${mutex}`);
        if (thread.joiner !== null) wake(thread.joiner);
        return;
      }
      log.push(`${thread.name} ${thread.at}@${now}`);
      thread.at += 1;
      if (!perform(thread, op)) return;
    }
  };

  bodies.forEach((ops, i) => make(`t${i}`, ops));
  for (;;) {
    const next = ready.shift();
    if (next !== undefined) {
      step(next);
      continue;
    }
    if (yielded.length > 0) {
      [ready, yielded] = [yielded, []];
      continue;
    }
    if (sleepers.length === 0) return log;
    now = Math.min(...sleepers.map(({ at }) => at));
    for (const due of sleepers.filter(({ at }) => at === now)) wake(due.thread);
    for (let i = sleepers.length - 1; i >= 0; i -= 1) if (sleepers[i]!.at === now) sleepers.splice(i, 1);
  }
}
