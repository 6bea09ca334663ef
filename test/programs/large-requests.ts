/**
 * Requests of built-ins that reach beyond what one may take of the heap at once, by what their refusal names, and the like of them that
 * one may make: whatever becomes of those in a heap that is nearly full, the core lives.
 */
interface Request {
  readonly names: string;
  readonly beyond: string;
  /** `undefined`: nothing of the kind comes near. */
  readonly within?: string;
}

const request = (names: string, beyond: string, within?: string): Request => ({
  names,
  beyond,
  ...(within !== undefined && { within }),
});
const COUNTED = (count: number): string => `Array.from({ length: ${count} }, (_, i) => -i)`;
const ENTRIES = (count: number): string =>
  `JSON.parse('{' + ${COUNTED(count)}.map((i) => '"k' + i + '":1').join() + '}')`;

export const LARGE_REQUESTS: readonly Request[] = [
  request('String.prototype.link', '"x".link("x".repeat(1e7))', '"x".link("x".repeat(1e6))'),
  request('Array.prototype.fill', 'new Array(1e9).fill(0)', 'new Array(2e6).fill(0)'),
  request('Array.prototype.fill', 'const a = []; a[3e6] = 1; a.fill(0)', 'const a = []; a[2e6] = 1; a.fill(0)'),
  request('Array.prototype.join', 'new Array(1e9).join("x")', 'new Array(2e6).join("x")'),
  request(
    'Array.prototype.concat',
    '[].concat(...new Array(40).fill(new Array(1e5)))',
    '[].concat(...new Array(20).fill(new Array(1e5)))',
  ),
  request('Array.prototype.sort', 'const a = []; a[2e6] = 1; a.sort()', `${COUNTED(1e6)}.sort((a, b) => a - b)`),
  request('Array.prototype.toSorted', 'new Array(1e6).toSorted()', `${COUNTED(8e5)}.toSorted((a, b) => a - b)`),
  request('Array.prototype.toReversed', 'new Array(3e6).toReversed()', 'new Array(1e6).toReversed()'),
  request('Array.prototype.toSpliced', 'new Array(3e6).toSpliced(0, 1)', 'new Array(1e6).toSpliced(0, 1)'),
  request('Array.prototype.with', 'new Array(3e6).with(0, 1)', 'new Array(1e6).with(0, 1)'),
  request('Array.from', 'Array.from({ length: 1e9 })', 'Array.from({ length: 2e6 })'),
  request('Array.from', 'Array.from("x".repeat(3e6))', 'Array.from("x".repeat(2e6))'),
  request('Array.from', 'Array.from("\\u20ac".repeat(5e5))', 'Array.from("\\u20ac".repeat(4e5))'),
  request('TypedArray.from', 'Uint8Array.from({ length: 3e6 })', 'Uint8Array.from({ length: 2e6 })'),
  request('TypedArray.prototype.join', 'new Uint8Array(1e6).join()', 'new Uint8Array(4e5).join()'),
  request('String.prototype.repeat', '"x".repeat(2 ** 28).split("")', '"x".repeat(16e6)[5]'),
  request('String.prototype.repeat', '"\\u20ac".repeat(9e6)', '"\\u20ac".repeat(8e6)[5]'),
  request('String.prototype.padStart', '"x".padStart(2 ** 29 - 30)', '"x".padStart(16e6)[5]'),
  request('String.prototype.padEnd', '"x".padEnd(9e6, "\\u20ac")', '"x".padEnd(8e6, "\\u20ac")[5]'),
  request('String.prototype.split', '"x".repeat(3e6).split("")', '"x".repeat(2e6).split("")'),
  request('String.prototype.split', '"ab,".repeat(5e5).split(",")', '"ab,".repeat(4e5).split(",")'),
  request('String.prototype.split', '"ab,".repeat(3e5).split(/(,)/)', '"ab,".repeat(2e5).split(/(,)/)'),
  request(
    'String.prototype.replace',
    '"x".repeat(2e6).replace(/x/g, "yyyyyyyy")',
    '"x".repeat(1e6).replace(/x/g, "yyyyyyyy")',
  ),
  request(
    'String.prototype.replaceAll',
    '"x".repeat(2e6).replaceAll("x", "y")',
    '"x".repeat(1e6).replaceAll("x", "yyyyyyyy")',
  ),
  request('JSON.parse', 'JSON.parse("[" + "0,".repeat(3e6) + "0]")', 'JSON.parse("[" + "0,".repeat(1.6e6) + "0]")'),
  request('JSON.parse', 'JSON.parse("[" + "{},".repeat(1e6) + "{}]")', 'JSON.parse("[" + "{},".repeat(2e5) + "{}]")'),
  request('JSON.parse', 'JSON.parse("[".repeat(1e6) + "]".repeat(1e6))', ENTRIES(5e4)),
  request('Object.keys', 'Object.keys(new Uint8Array(16e6))', 'Object.keys(new Uint8Array(4e5))'),
  request(
    'Object.getOwnPropertyNames',
    'Object.getOwnPropertyNames("x".repeat(1e6))',
    'Object.getOwnPropertyNames("x".repeat(4e5))',
  ),
  request('Reflect.ownKeys', 'Reflect.ownKeys(new Uint8Array(16e6))', 'Reflect.ownKeys(new Uint8Array(4e5))'),
  request('Object.values', 'Object.values(new Uint8Array(16e6))', 'Object.values(new Uint8Array(6e5))'),
  request('Object.entries', 'Object.entries(new Array(1e6).fill(1))', 'Object.entries(new Uint8Array(14e4))'),
  request(
    'Object.getOwnPropertyDescriptors',
    'Object.getOwnPropertyDescriptors(new Uint8Array(16e6))',
    'Object.getOwnPropertyDescriptors(new Uint8Array(14e4))',
  ),
  request('Object.assign', 'Object.assign({}, new Uint8Array(16e6))', 'Object.assign({}, new Uint8Array(1e6))'),
  request(
    'WebAssembly.Table',
    'new WebAssembly.Table({ initial: 1e7, element: "anyfunc" })',
    'new WebAssembly.Table({ initial: 2e6, element: "anyfunc" })',
  ),
  request(
    'WebAssembly.Table',
    'new WebAssembly.Table({ initial: 1, element: "anyfunc" }).grow(9e6)',
    'new WebAssembly.Table({ initial: 1, element: "anyfunc" }).grow(2e6)',
  ),
];

/** A statement's value: that of its last expression. */
const valued = (statements: string): string => {
  const [last = '', ...before] = statements.split('; ').reverse();
  return `() => { ${before.reverse().join('; ')}; ${last.startsWith('try') ? last : `return ${last}`} }`;
};

/** Main of a program that makes all the requests beyond; what is said of each that was not refused by its name. */
export const ALL_BEYOND = `
  const requests = [${LARGE_REQUESTS.map(({ names, beyond }) => `[${JSON.stringify(names)}, ${valued(beyond)}]`).join(',\n')}];
  for (const [names, make] of requests) {
    let said = 'nothing';
    try { make(); } catch (error) { said = String(error); }
    mk.assert(said.startsWith('RangeError: ' + names + ' could take '), make + ' said ' + said);
    await mk.yield();
    mk.assert(said.endsWith(' bytes of the heap at once; a dispatcher may take 16777216'), said);
  }`;

/** Main of a program that changes what it was given, and asks for too much before it puts that back. */
export const ALL_CHANGED = `
  const [min, asNumber, iterator] = [Math.min, Number, Array.prototype[Symbol.iterator]];
  const changes = [() => { Math.min = () => 0; }, () => { globalThis.Number = () => 0; }, () => { Array.prototype[Symbol.iterator] = function* () { yield ''; yield 0; }; }];
  const requests = [['String.prototype.split', () => 'x'.repeat(3e6).split('')], ['String.prototype.link', () => 'x'.link('x'.repeat(1e7))],
    ['Array.from', () => Array.from({ length: { valueOf: () => 1e9 } })], ['String.prototype.repeat', () => 'x'.repeat('20000000')],
    ['Array.from', () => Array.from('x'.repeat(3e6))], ['String.prototype.replaceAll', () => 'x'.repeat(2e6).replaceAll('x', 'y')]];
  for (let i = 0; i < changes.length * requests.length; i++) {
    const [names, make] = requests[i % requests.length];
    let said = 'nothing';
    try { changes[Math.floor(i / requests.length)](); make(); } catch (error) { said = error; }
    Math.min = min; globalThis.Number = asNumber; Array.prototype[Symbol.iterator] = iterator;
    mk.assert(String(said).startsWith('RangeError: ' + names + ' could take '), i + ': ' + make + ' said ' + said);
  }`;

/** Main of a program that makes one of the others with its heap nearly full; its argument says which; -1 is none. */
export const ONE_WITHIN = `
  const requests = [${LARGE_REQUESTS.map(({ within }) => (within === undefined ? 'null' : valued(within))).join(',\n')}];
  const kept = Array.from({ length: 18 * 8 }, (_, n) => Array.from({ length: 16_000 }, (_, i) => n + i));
  await mk.yield();
  kept.push((requests[Number(mk.args[0])] ?? (() => 0))());
  mk.assert(kept.length === 18 * 8 + 1, 'all is kept');`;

/** Main of a program to which what asks first looks and answers as the built-in behind it. */
export const AS_BUILT_INS = `for (const [f, name, length] of [[Array.from, 'from', 1], ['x'.split, 'split', 2], [[].fill, 'fill', 1], [[].concat, 'concat', 1], [JSON.parse, 'parse', 2],
      [Object.keys, 'keys', 1], [''[Symbol.iterator], '[Symbol.iterator]', 0], [Reflect.ownKeys, 'ownKeys', 1], [new Uint8Array().toSorted, 'toSorted', 1]]) {
      mk.assert(f.name === name && f.length === length && !('prototype' in f), name);
      mk.assert(await outcome(Promise.resolve().then(() => Reflect.construct(f, []))) === 'TypeError', name + ' is not a constructor');
    }
    class More extends Array {}
    mk.assert(More.from('abc') instanceof More && More.from([1, 2], (x) => x + 1).join() === '2,3', 'subclasses');
    mk.assert([...'a\u{1f600}b'].join('|') === 'a|\u{1f600}|b' && [...new String('ab')].length === 2, 'characters');
    let steps = 0; for (const c of 'x'.repeat(2e6)) steps += c.length; mk.assert(steps === 2e6, 'a long text');
    mk.assert('aXbX'.replaceAll('X', '$&-') === 'aX-bX-' && 'a,b;c'.split(/[,;]/).join('') === 'abc' && 'a1b'.split(/(\\d)/).join() === 'a,1,b', 'texts');
    mk.assert(JSON.parse({ toString: () => '[1,{"a":null}]' }, (k, v) => v ?? 7)[1].a === 7, 'JSON');
    mk.assert('x'.repeat({ valueOf: () => 3 }) === 'xxx' && '5'.padStart('3', 0) === '005' && [1].concat([2], 3, [[4]]).length === 4, 'numbers');
    let reads = 0; 'x'.repeat({ valueOf: () => (reads += 1) > 1 ? 1e9 : 1 }); mk.assert(reads === 1, 'an argument is read once');
    for (const wrong of [() => 'x'.repeat(-1), () => 'x'.repeat(Infinity), () => [].fill.call(null), () => JSON.parse(''), () => JSON.parse(Symbol('x')), () => Array.from(null), () => Object.keys(null), () => ''.split.call(undefined)])
      mk.assert(['RangeError', 'TypeError', 'SyntaxError'].includes(await outcome(Promise.resolve().then(wrong))), String(wrong));
    const line = (await Promise.resolve().then(() => [2, 1].sort(() => { throw new Error('mine'); })).catch((e) => e)).stack;
    mk.assert(!line.includes('mk:'), line);`;
