/**
 * Names of the language that a context has. A look-up of a global in a context of node:vm asks the host each time, half a
 * microsecond; a constant of a script is found at once.
 */
export const GLOBAL_NAMES =
  'Object Function Array Number parseFloat parseInt Boolean String Symbol Date Promise RegExp Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError JSON Math ArrayBuffer Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt Set WeakMap WeakSet Proxy Reflect FinalizationRegistry WeakRef decodeURI decodeURIComponent encodeURI encodeURIComponent isFinite isNaN Atomics WebAssembly'.split(
    ' ',
  );

/** To be evaluated when the world of a context is in place, before its program: its globals become constants. */
export const GLOBALS_SCRIPT = `const { ${[...GLOBAL_NAMES, 'performance'].join(', ')} } = globalThis;`;
