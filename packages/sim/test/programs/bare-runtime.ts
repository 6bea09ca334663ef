/*
 * The least that a program of these tests needs, directly on the border: calls with answers, and upcalls as they
 * arrive. Programs normally use libmk's runtime; here nothing stands between the test and its subject.
 */
import { border } from '@mk/libmk/dispatcher/border';
import type { PlainValue } from '@mk/libmk/dispatcher/plain-value';
import type { Call, Upcall, UpcallOf } from '@mk/libmk/dispatcher/protocol';

export interface Bare {
  readonly run: UpcallOf<'run'>;
  call(name: string, ...args: PlainValue[]): Promise<PlainValue>;
  tell(name: string, ...args: PlainValue[]): void;
  now(name: string, ...args: PlainValue[]): PlainValue;
  print(text: string): void;
  exit(status: number): void;
  sleep(ns: number): Promise<void>;
  /** The next upcall of a type. */
  next<T extends Upcall['type']>(type: T): Promise<UpcallOf<T>>;
  readonly outgoing: Call[];
}

/** Runs `main` in a dispatcher, first or spanned; an uncaught error fails the domain. */
export function start(main: (mk: Bare) => Promise<void>): void {
  const b = border();
  const outgoing: Call[] = [];
  const replies = new Map<number, { resolve: (value: PlainValue) => void; reject: (error: Error) => void }>();
  const timers = new Map<number, () => void>();
  const waiting: { readonly type: string; readonly give: (upcall: Upcall) => void }[] = [];
  const kept: Upcall[] = [];
  let last = 0;
  const mk = (run: UpcallOf<'run'>): Bare => ({
    run,
    outgoing,
    call: (name, ...args) =>
      new Promise((resolve, reject) => {
        last += 1;
        replies.set(last, { resolve, reject });
        outgoing.push([last, name, args]);
      }),
    tell: (name, ...args) => void outgoing.push([0, name, args]),
    now(name, ...args) {
      const result = b.callNow(name, args);
      if (!result.ok) throw new Error(result.error);
      return result.value;
    },
    print: (text) => void outgoing.push([0, 'print', [text]]),
    exit: (status) => void outgoing.push([0, 'exit', [status]]),
    sleep: (ns) =>
      new Promise((resolve) => {
        last += 1;
        timers.set(last, resolve);
        outgoing.push([0, 'set_timer', [last, b.now() + ns]]);
      }),
    next: (type) =>
      new Promise((resolve) => {
        const at = kept.findIndex((upcall) => upcall.type === type);
        if (at >= 0) resolve(kept.splice(at, 1)[0] as never);
        else waiting.push({ type, give: resolve as (upcall: Upcall) => void });
      }),
  });
  const take = (upcall: Upcall): void => {
    if (upcall.type === 'run') {
      main(mk(upcall)).catch((error: unknown) =>
        b.fail('UNCAUGHT', error instanceof Error ? error.message : String(error)),
      );
    } else if (upcall.type === 'reply') {
      const reply = replies.get(upcall.call)!;
      replies.delete(upcall.call);
      if (upcall.error === '') reply.resolve(upcall.value);
      else reply.reject(new Error(`${upcall.error}: ${upcall.text}`));
    } else if (upcall.type === 'timer') {
      timers.get(upcall.timer)?.();
      timers.delete(upcall.timer);
    } else {
      const at = waiting.findIndex(({ type }) => type === upcall.type);
      if (at >= 0) waiting.splice(at, 1)[0]!.give(upcall);
      else kept.push(upcall);
    }
  };
  b.attach({ outgoing, resume: (upcalls) => upcalls.forEach(take) });
}
