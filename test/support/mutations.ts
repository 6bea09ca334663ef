import fc from 'fast-check';

/**
 * What faults and attackers make of a valid input: bytes changed, left out, doubled, put in, cut off, or taken from
 * another one. Random bytes hardly ever come past a decoder's first look.
 */
type Edit = { readonly kind: EditKind; readonly at: number; readonly length: number; readonly with: Uint8Array };

const EDITS = {
  overwrite: (bytes: Buffer, { at, with: other }: Edit) =>
    Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at + other.length)]),
  insert: (bytes: Buffer, { at, with: other }: Edit) =>
    Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at)]),
  leaveOut: (bytes: Buffer, { at, length }: Edit) =>
    Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
  double: (bytes: Buffer, { at, length }: Edit) => Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]),
  cutOff: (bytes: Buffer, { at }: Edit) => bytes.subarray(0, at),
} as const;
type EditKind = keyof typeof EDITS;

/** What is special somewhere: in msgpack, UTF-8, JSON, YAML, XML or HTTP. */
const SPECIAL: readonly Uint8Array[] = [
  ...[[0], [0x7f], [0x80], [0xc0], [0xc1], [0xff], [0xdd, 255, 255, 255, 255], [0xc6, 255, 255, 255, 255], [0xcf]],
  ...[
    [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
    [0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0],
    [0xd3, 128, 0, 0, 0, 0, 0, 0, 0],
  ],
  ...[
    [0xed, 0xa0, 0x80],
    [0xef, 0xbb, 0xbf],
    [0xf0, 0x9f],
    [0x0d, 0x0a, 0x0d, 0x0a],
  ],
].map((bytes) => Uint8Array.from(bytes));
const SPECIAL_TEXTS = [
  ...[
    '__proto__',
    'constructor',
    '"',
    "'",
    '\\',
    '\n',
    '\r\n',
    ': ',
    '- ',
    '&a ',
    '*a',
    '!!js/function ',
    '<<: ',
    '{',
    '[',
  ],
  ...[
    '-0',
    '1e999',
    '-1',
    '9007199254740993',
    '0.1',
    'null',
    'NaN',
    '<',
    '&amp;',
    '&#0;',
    ']]>',
    '%00',
    '\\ud800',
    '\u2028',
  ],
].map((text) => Buffer.from(text));

/** Mutants of these inputs, some edits away from one; shrinks to fewer edits. */
export function mutantsOf(inputs: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    kind: fc.constantFrom(...(Object.keys(EDITS) as EditKind[])),
    at: fc.nat(),
    length: fc.nat(64),
    with: fc.oneof(
      fc.constantFrom(...SPECIAL, ...SPECIAL_TEXTS),
      fc.uint8Array({ maxLength: 9 }),
      fc.tuple(fc.constantFrom(...inputs), fc.nat(), fc.nat(200)).map(([other, from, length]) => {
        const start = from % (other.length + 1);
        return other.subarray(start, start + length);
      }),
    ),
  });
  return fc
    .tuple(fc.constantFrom(...inputs), fc.array(edit, { minLength: 1, maxLength: 5 }))
    .map(([input, edits]) =>
      edits.reduce<Buffer>(
        (bytes, each) => EDITS[each.kind](bytes, { ...each, at: each.at % (bytes.length + 1) }),
        Buffer.from(input),
      ),
    );
}

/** The same of texts. */
export function mutantTextsOf(texts: readonly string[]): fc.Arbitrary<string> {
  return mutantsOf(texts.map((text) => Buffer.from(text))).map((bytes) => bytes.toString('utf8'));
}
