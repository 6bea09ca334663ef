import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Row, readRows, TABLES, type TableName } from '@mk/skb/journal/rows';
import { decodeOctopusRequest } from '@mk/skb/octopus/decode';
import { OctopusStore } from '@mk/skb/octopus/store';
import { parseRecord, RecordSyntaxError } from '@mk/monitor-proto/octopus/record';
import { PatternError } from '@mk/monitor-proto/octopus/pattern';
import { parseRecording, Player } from '../../packages/ui/src/model/recording.ts';
import { mutantTextsOf } from '../support/mutations.ts';

/** Requests to Octopus, rows of a journal, recorded runs. */

const RECORDS = [
  `plain { n: 1, text: 'a b', pattern: r'^x[a-z]*{1,3}$', big: > 9007199254740991 }`,
  `'lock:a\\'b' { owner: 'core', _: 'x' }`,
  `r'^a(b|c)*$' { x: != 'y', z: <= -0.5e-3 }`,
];
const REQUESTS = [
  { type: 'set', record: RECORDS[0], sequential: true, transient: true },
  { type: 'set', record: `x { n: 2 }`, constraints: `x { n: 1 }`, exclusive: true },
  { type: 'get', query: RECORDS[2], trigger: { id: 3, inCase: 'NO_RECORD', mode: 7 } },
  { type: 'get_names', query: '_ { n: > 1 }' },
  { type: 'take', query: 'permit', lease: true },
  { type: 'publish', record: RECORDS[1] },
  { type: 'subscribe', query: '_', id: 4 },
  { type: 'remove_trigger', id: 3 },
  { type: 'del', query: 'plain' },
].map((request) => JSON.stringify(request));

test('a text is a record, or refused in a sentence', () => {
  fc.assert(
    fc.property(mutantTextsOf(RECORDS), (text) => {
      try {
        parseRecord(text);
      } catch (error) {
        expect(error instanceof RecordSyntaxError || error instanceof PatternError).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('a request is answered by a name; one that is refused changes nothing', () => {
  fc.assert(
    fc.property(fc.array(mutantTextsOf(REQUESTS), { minLength: 1, maxLength: 8 }), (texts) => {
      const store = new OctopusStore();
      for (const text of texts) {
        const request = decodeOctopusRequest(text);
        if (request === undefined) continue;
        const before = JSON.stringify([...store.snapshot()]);
        const { reply, changes } = store.step(request, { client: 'a', owner: 'a' });
        if (reply.ok) continue;
        expect(reply.error).not.toBe('FAILED');
        expect(changes).toEqual([]);
        expect(JSON.stringify([...store.snapshot()])).toBe(before);
      }
    }),
    { numRuns: 1_000 },
  );
});

const ROWS: readonly (readonly [TableName, Readonly<Record<string, string>>])[] = [
  ['records', { name: 'plain', text: 'plain { n: 1 }', owner: 'a' }],
  ['answers', { client: 'a', last: '7', replies: '[[7,{"ok":true,"record":"x {}","installed":false}]]' }],
  ['facts', { text: 'p(1,a)', json: '{"name":"p","args":[1,"a",{"integer":"12345678901234567890"}]}' }],
  ['counters', { name: 'queue', value: '12' }],
  ['rules', { name: 'mine', text: 'p(X) :- q(X).' }],
];
const TEXTS = ROWS.flatMap(([, row]) => Object.values(row));
const numbered = (text: string): string | number => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

test('a row is read, or set aside with its reason; the others are read whatever it is', () => {
  const cell = fc.oneof(mutantTextsOf(TEXTS).map(numbered), fc.constantFrom(null, -0, NaN, 1e300, new Uint8Array(3)));
  fc.assert(
    fc.property(fc.constantFrom(...ROWS), fc.nat(), cell, ([table, row], at, value) => {
      const keys = Object.keys(row);
      const spoilt: Row = { ...row, [keys[at % keys.length]!]: value };
      const good = (name: TableName): Row[] =>
        ROWS.filter(([each]) => each === name).map(([, each]) =>
          Object.fromEntries(
            Object.entries(each).map(([key, text]) => [key, key === 'last' || key === 'value' ? Number(text) : text]),
          ),
        );
      const { contents, bad } = readRows((name) => (name === table ? [spoilt, ...good(name)] : good(name)));
      const { answers, facts, rules, octopus } = contents;
      const puts = octopus.filter(({ type }) => type === 'put');
      const read: Partial<Record<TableName, number>> = {
        ...{ records: puts.length, answers: answers.length, facts: facts.length, rules: rules.length },
      };
      for (const name of Object.keys(TABLES) as TableName[])
        if (name !== 'counters')
          expect(read[name]! + bad.filter((each) => each.table === name).length).toBe(name === table ? 2 : 1);
      for (const { reason } of bad) expect(reason.length).toBeGreaterThan(0);
      new OctopusStore().load(octopus);
    }),
    { numRuns: 1_000 },
  );
});

const RUN = [
  { type: 'hello', t: 0, version: 0, cluster: 'mk', machine: null, cores: 2 },
  { type: 'cores', t: 1, cores: [{ core: 0, state: 'ready', incarnation: 1, pid: 1, host: 'a' }], skb: null },
  { type: 'log', t: 2, lost: 0, lines: [{ time: 2, level: 'info', event: 'core_ready', core: 0, text: 'x' }] },
  { type: 'faults', t: 3, faults: [{ id: 'a', text: 'b', kind: 'partition' }] },
  { type: 'counters', t: 4, cores: [{ core: 0, messages: 1 }] },
  { type: 'links', t: 5, trips: [[0, 1, 2]] },
  { type: 'trouble', t: 6, text: 'x' },
  { type: 'memory', t: 7, rows: [] },
  { type: 'tree', t: 8, root: 0, plan: 'numa', tree: null },
];

test('a recording plays, or is refused in a sentence', () => {
  const version = Number(/reads version (\d+)/.exec(String(parseRecording(JSON.stringify(RUN[0]))))?.[1]);
  expect(version).toBeGreaterThan(0);
  const text = RUN.map((event) => JSON.stringify({ ...event, ...(event.type === 'hello' ? { version } : {}) })).join(
    '\n',
  );
  fc.assert(
    fc.property(mutantTextsOf([text]), (mutant) => {
      const recording = parseRecording(mutant);
      if (typeof recording === 'string') return expect(recording.length).toBeLessThan(400);
      new Player(recording).seek(recording.end);
    }),
    { numRuns: 1_000 },
  );
});
