import type { Nanos } from '@mk/monitor-proto/ids';
import { createPrng } from '@mk/monitor-proto/prng';

/** The replacement of the host's clock and entropy in a context. */
export interface World {
  /** Milliseconds since 1970 when the kernel's clock said 0. */
  readonly epochMs: number;
  /** The seed of its `Math.random`. */
  readonly seed: string;
  /** The kernel's clock. */
  now(): Nanos;
}

/** Methods of Date.prototype that read the host's time zone, and their UTC equivalents. */
const IN_UTC = {
  getDate: 'getUTCDate',
  getDay: 'getUTCDay',
  getFullYear: 'getUTCFullYear',
  getHours: 'getUTCHours',
  getMilliseconds: 'getUTCMilliseconds',
  getMinutes: 'getUTCMinutes',
  getMonth: 'getUTCMonth',
  getSeconds: 'getUTCSeconds',
  setDate: 'setUTCDate',
  setFullYear: 'setUTCFullYear',
  setHours: 'setUTCHours',
  setMilliseconds: 'setUTCMilliseconds',
  setMinutes: 'setUTCMinutes',
  setMonth: 'setUTCMonth',
  setSeconds: 'setUTCSeconds',
  toString: 'toUTCString',
  toDateString: 'toUTCString',
  toTimeString: 'toUTCString',
  toLocaleString: 'toUTCString',
  toLocaleDateString: 'toUTCString',
  toLocaleTimeString: 'toUTCString',
} as const;

/** Globals that would distinguish two runs of one seed, or let a program wait past the kernel's scheduler. */
const REMOVED = ['SharedArrayBuffer', 'Temporal', 'console', 'ShadowRealm', 'gc'] as const;
const FORBIDDEN = ['WeakRef', 'FinalizationRegistry'] as const;

/** Makes the clock, the entropy and the zone of the context the kernel's. */
export function installWorld(world: World): void {
  installDate(world);
  const prng = createPrng(world.seed);
  define(Math, 'random', () => prng.nextFloat());
  define(globalThis, 'performance', { now: () => world.now() / 1e6, timeOrigin: world.epochMs });
  fixLocales();
  define(Error, 'prepareStackTrace', ownFrames);
  for (const name of REMOVED) if (!Reflect.deleteProperty(globalThis, name)) Reflect.set(globalThis, name, undefined);
  for (const name of FORBIDDEN) define(globalThis, name, forbidden(name));
  for (const name of ['wait', 'waitAsync']) Reflect.deleteProperty(Atomics, name);
}

function installDate(world: World): void {
  const Native = Date;
  const nowMs = (): number => Math.floor(world.epochMs + world.now() / 1e6);
  function KernelDate(this: unknown, ...given: unknown[]): unknown {
    if (new.target === undefined) return new Native(nowMs()).toUTCString();
    const args =
      given.length === 0 ? [nowMs()] : given.length === 1 ? given : [Reflect.apply(Native.UTC, undefined, given)];
    return Reflect.construct(Native, args, new.target);
  }
  for (const [local, utc] of Object.entries(IN_UTC)) define(Native.prototype, local, Native.prototype[utc]);
  define(Native.prototype, 'getTimezoneOffset', () => 0);
  KernelDate.prototype = Native.prototype;
  define(Native.prototype, 'constructor', KernelDate);
  define(KernelDate, 'now', nowMs);
  define(KernelDate, 'UTC', Native.UTC);
  define(KernelDate, 'parse', (text: string) => Native.parse(zoned(String(text))));
  define(globalThis, 'Date', KernelDate);
}

/** Reads a date and time without a zone in UTC, not in the host's zone. */
function zoned(text: string): string {
  return /^\d{4}-\d\d-\d\dT[\d:.]+$/.test(text) ? `${text}Z` : text;
}

/** Fixes everything that depends on the host's language to English. */
function fixLocales(): void {
  for (const [prototype, name, place] of [
    [String.prototype, 'localeCompare', 1],
    [String.prototype, 'toLocaleLowerCase', 0],
    [String.prototype, 'toLocaleUpperCase', 0],
    [Number.prototype, 'toLocaleString', 0],
    [BigInt.prototype, 'toLocaleString', 0],
  ] as const) {
    const native: unknown = Reflect.get(prototype, name);
    if (typeof native !== 'function') continue;
    define(prototype, name, function (this: unknown, ...args: unknown[]) {
      while (args.length <= place) args.push(undefined);
      args[place] ??= 'en-US';
      return Reflect.apply(native, this, args);
    });
  }
  Reflect.deleteProperty(globalThis, 'Intl'); // its formats read the host's clock, zone and language
}

interface Site {
  getFileName(): string | null | undefined;
}

/**
 * A stack trace as the engine writes it, up to the host's frames, which do not concern the program and differ from run
 * to run.
 */
function ownFrames(error: Error, sites: readonly Site[]): string {
  let own: string | null = null;
  const lines = [headOf(error)];
  for (const site of sites) {
    const file = site.getFileName() ?? null;
    if (file?.startsWith('mk:') === true) continue; // stands before a built-in
    if (file !== null) {
      own ??= file;
      if (file !== own) break;
    }
    lines.push(`    at ${String(site)}`);
  }
  return lines.join('\n');
}

function headOf(error: Error): string {
  try {
    return `${error.name}: ${error.message}`;
  } catch {
    return 'Error';
  }
}

function forbidden(name: string): unknown {
  return function (): never {
    throw new TypeError(
      `${name} shows when memory is collected, which differs from run to run: programs cannot use it`,
    );
  };
}

/** Defines a property as the language defines its own: not enumerable. */
export function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });
}

const { apply } = Reflect;

/**
 * Puts a question before a built-in method, if there is one of that name: what `ask` throws is thrown in the place of
 * the call. It may put a read argument in the place of one. Name and length stay, and it is no constructor, as before.
 */
export function guard(owner: object, name: string, ask: (self: unknown, args: unknown[]) => void): void {
  const native: unknown = Reflect.get(owner, name);
  if (typeof native !== 'function') return;
  const method = {
    [name](this: unknown, ...args: unknown[]): unknown {
      ask(this, args);
      return apply(native, this, args);
    },
  }[name];
  Object.defineProperty(method, 'length', { value: native.length, configurable: true });
  define(owner, name, method);
}
