import { known } from '@mk/monitor-proto/assert';
import { isRecord } from '@mk/monitor-proto/guards';
import { checkRequest, lengthOf } from './bounded-requests.ts';
import { guard } from './world.ts';

/**
 * Smaller blocks are not counted one by one: each has a wrapper in the heap a fifth of its size, and the heap is
 * limited.
 */
const COUNTED_BYTES = 1024;

/**
 * Counts memory outside the heap: a heap limit does not count ArrayBuffers and WebAssembly memory, so their
 * constructors do.
 */
export class CountedMemory {
  /** An upper bound on what is held: garbage collected since the last check still counts. */
  private held = 0;
  private wasm = 0;

  /**
   * `measure`: collects garbage and returns the bytes of ArrayBuffers left; null: only single blocks are bounded, which
   * depends on the run alone.
   */
  constructor(
    private readonly maxBytes: number,
    private readonly measure: (() => number) | null,
  ) {}

  /** Throws RangeError if so many more bytes are not allowed. */
  check(bytes: number): void {
    if (this.fits(bytes)) return;
    throw new RangeError(`a dispatcher may hold ${this.maxBytes} bytes of ArrayBuffers and WebAssembly memory`);
  }

  /** A block of so many bytes was allocated. */
  charge(bytes: number): void {
    if (bytes < COUNTED_BYTES) return;
    this.check(bytes);
    if (this.measure !== null) this.held += bytes;
  }

  /** WebAssembly memory of so many bytes; it counts for as long as the dispatcher lives. */
  chargeWasm(bytes: number): void {
    this.check(bytes);
    if (this.measure !== null) this.wasm += bytes;
  }

  private fits(bytes: number): boolean {
    if (!(bytes >= 0) || this.held + this.wasm + bytes <= this.maxBytes) return true;
    if (bytes > this.maxBytes || this.measure === null) return false;
    this.held = this.measure();
    return this.held + this.wasm + bytes <= this.maxBytes;
  }
}

type Constructor = new (...args: unknown[]) => object;

/** A constructor of the context by its name, which may be missing. */
function constructorOf(owner: object, name: string): Constructor | null {
  const found: unknown = Reflect.get(owner, name);
  return isConstructor(found) ? found : null;
}

function isConstructor(value: unknown): value is Constructor {
  return typeof value === 'function' && 'prototype' in value;
}

const VIEWS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;

// Those of the kernel: a program may change its own.
const { max } = Math;
const asNumber = Number;

/** Counts the ArrayBuffers, typed arrays and WebAssembly memory that the context makes. */
export function countMemory(memory: CountedMemory): void {
  replace('ArrayBuffer', ArrayBuffer.prototype, wrap(ArrayBuffer, 1, memory, bytesOf));
  const owns = (made: object, args: readonly unknown[]): number => (isBuffer(args[0]) ? 0 : bytesOf(made));
  for (const View of VIEWS) replace(View.name, View.prototype, wrap(View, View.BYTES_PER_ELEMENT, memory, owns));
  countResizes(memory);
  countCopies(memory);
  countWebAssembly(memory);
}

function replace(name: string, prototype: object, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  Object.defineProperty(prototype, 'constructor', { value, writable: true, enumerable: false, configurable: true });
}

/** The size of an ArrayBuffer or a view. */
function bytesOf(made: object): number {
  return 'byteLength' in made ? asNumber(made.byteLength) : 0;
}

function wrap(
  Native: object,
  unit: number,
  memory: CountedMemory,
  bytesOf: (made: object, args: readonly unknown[]) => number,
): unknown {
  if (!isConstructor(Native)) throw new TypeError('no constructor');
  const proxy: unknown = new Proxy(Native, {
    construct(target, args: readonly unknown[], newTarget) {
      const elements = typeof args[0] === 'number' || isBuffer(args[0]) ? args[0] : lengthOf(args[0]);
      if (typeof elements === 'number') memory.check(elements * unit);
      const made: object = Reflect.construct(target, args, newTarget === proxy ? target : newTarget);
      memory.charge(bytesOf(made, args));
      return made;
    },
  });
  return proxy;
}

const tagOf = Object.prototype.toString;
function isBuffer(value: unknown): value is ArrayBuffer {
  if (typeof value !== 'object' || value === null) return false;
  const tag: unknown = Reflect.apply(tagOf, value, []);
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]';
}

/** A resizable buffer reserves addresses, and takes memory only when it grows. */
function countResizes(memory: CountedMemory): void {
  guard(ArrayBuffer.prototype, 'resize', (self, args) => memory.charge(max(0, asNumber(args[0]) - heldBy(self))));
}

/** Copies that are made without a constructor. */
function countCopies(memory: CountedMemory): void {
  const views: object = Reflect.getPrototypeOf(Uint8Array.prototype) ?? {};
  for (const name of ['toReversed', 'toSorted', 'with']) guard(views, name, (self) => memory.charge(heldBy(self)));
}

/** The bytes of a built-in's `this`, if it is what the built-in is for. */
function heldBy(self: unknown): number {
  return isBuffer(self) || ArrayBuffer.isView(self) ? self.byteLength : 0;
}

const PAGE_BYTES = 65_536;
/** Of a table's entry, in the heap. */
const ENTRY_BYTES = 8;

/** Tables lie in the heap. */
function checkTable(entries: unknown): void {
  checkRequest('WebAssembly.Table', asNumber(entries) * ENTRY_BYTES);
}

/** WebAssembly compiles within the turn; memories and instances are charged with their maximum. */
function countWebAssembly(memory: CountedMemory): void {
  const wasm: unknown = Reflect.get(globalThis, 'WebAssembly');
  if (typeof wasm !== 'object' || wasm === null) return;
  const [Module, Instance, Memory] = ['Module', 'Instance', 'Memory'].map((name) => constructorOf(wasm, name));
  if (!Module || !Instance || !Memory) return;
  const maxima = new WeakMap<object, number>();
  const compile = (bytes: unknown): object => {
    const module = new Module(bytes);
    maxima.set(module, memoryOf(viewOf(bytes)));
    return module;
  };
  const instantiate = (module: unknown, imports?: unknown): object => {
    if (typeof module === 'object' && module !== null) memory.chargeWasm(maxima.get(module) ?? 0);
    return new Instance(module, imports);
  };
  const own = (name: string, value: unknown): void =>
    void Object.defineProperty(wasm, name, { value, writable: true, configurable: true });
  own(
    'Module',
    constructible(Module, ([bytes]) => compile(bytes)),
  );
  own(
    'Instance',
    constructible(Instance, ([module, imports]) => instantiate(module, imports)),
  );
  own(
    'Memory',
    constructible(Memory, ([descriptor]) => {
      const { maximum, initial, shared } = isRecord(descriptor) ? descriptor : {};
      if (shared === true) throw new TypeError('programs share memory only by frames');
      if (maximum === undefined) throw new TypeError('a WebAssembly.Memory of a program has a maximum');
      memory.chargeWasm(max(asNumber(maximum), asNumber(initial ?? 0)) * PAGE_BYTES);
      return new Memory(descriptor);
    }),
  );
  countTables(wasm);
  own('compile', async (bytes: unknown) => compile(bytes));
  own('instantiate', async (given: object, imports?: unknown) => {
    if (Reflect.apply(tagOf, given, []) === '[object WebAssembly.Module]') return instantiate(given, imports);
    const module = compile(given);
    return { module, instance: instantiate(module, imports) };
  });
  for (const name of ['compileStreaming', 'instantiateStreaming']) Reflect.deleteProperty(wasm, name);
}

function countTables(wasm: object): void {
  const Table = constructorOf(wasm, 'Table');
  if (Table === null) return;
  const make = ([descriptor, value]: readonly unknown[]): object => {
    if (isRecord(descriptor)) checkTable(descriptor['initial'] ?? descriptor['minimum']);
    return value === undefined ? new Table(descriptor) : new Table(descriptor, value);
  };
  Object.defineProperty(wasm, 'Table', { value: constructible(Table, make), writable: true, configurable: true });
  guard(Table.prototype, 'grow', (self, args) => checkTable(lengthOf(self) + asNumber(args[0])));
}

function constructible(Native: Constructor, make: (args: readonly unknown[]) => object): unknown {
  const proxy: unknown = new Proxy(Native, { construct: (_target, args) => make(args) });
  Object.defineProperty(Native.prototype, 'constructor', { value: proxy, configurable: true });
  return proxy;
}

function viewOf(bytes: unknown): Uint8Array {
  if (ArrayBuffer.isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isBuffer(bytes) ? new Uint8Array(bytes) : new Uint8Array();
}

/** Sections of a module in which it declares its own tables and memories. */
const TABLE_SECTION = 4;
const MEMORY_SECTION = 5;
/** Begins a table that names what its entries are at first; what follows that, another table, is not read. */
const WITH_VALUE = 0x40;

/** The maximum of a module's own memory, in bytes; a TypeError if it declares none. */
function memoryOf(bytes: Uint8Array): number {
  let total = 0;
  for (let at = 8; at < bytes.length;) {
    const section = bytes[at]!;
    const [size, start] = leb(bytes, at + 1);
    if (section === TABLE_SECTION) checkTables(bytes, start);
    if (section === MEMORY_SECTION) total += declaredIn(bytes, start);
    at = start + size;
  }
  return total;
}

function checkTables(bytes: Uint8Array, start: number): void {
  let [left, at] = leb(bytes, start);
  for (; left > 0; left--) {
    if (bytes[at] === WITH_VALUE) at += 2;
    const limits = known(bytes[at + 1]);
    const [initial, next] = leb(bytes, at + 2);
    checkTable(initial);
    if (bytes[at - 2] === WITH_VALUE) return;
    at = (limits & 1) === 0 ? next : leb(bytes, next)[1];
  }
}

function declaredIn(bytes: Uint8Array, start: number): number {
  let pages = 0;
  let [left, at] = leb(bytes, start);
  for (; left > 0; left--) {
    const limits = bytes[at]!;
    if ((limits & 1) === 0) throw new TypeError('the memory of a program’s WebAssembly module has a maximum');
    const [, maximumAt] = leb(bytes, at + 1);
    const [maximum, next] = leb(bytes, maximumAt);
    pages += maximum;
    at = next;
  }
  return pages * PAGE_BYTES;
}

/** Reads an unsigned LEB128 number; returns it and the place after it. */
function leb(bytes: Uint8Array, from: number): [value: number, next: number] {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[from + i] ?? 0;
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return [value, from + i + 1];
  }
  throw new TypeError('a number of the module is too long');
}
