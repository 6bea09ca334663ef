/**
 * Names of the language that a context has. Looking up a global in a node:vm context asks the host each time, which
 * takes half a microsecond; a script's constant is found at once.
 */
const GLOBAL_NAMES =
  'Object Function Array Number parseFloat parseInt Boolean String Symbol Date Promise RegExp Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError JSON Math ArrayBuffer Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt Set WeakMap WeakSet Proxy Reflect FinalizationRegistry WeakRef decodeURI decodeURIComponent encodeURI encodeURIComponent isFinite isNaN Atomics WebAssembly'.split(
    ' ',
  );

/** Evaluate once the context's world is in place, before its program: turns its globals into constants. */
export const GLOBALS_SCRIPT = `const { ${[...GLOBAL_NAMES, 'performance'].join(', ')} } = globalThis;`;
