import { describe, expect, test } from '@jest/globals';
import { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import type { JournalChange } from '../../src/journal/changes.ts';
import type { KnowledgeEffect } from '../../src/knowledge/effects.ts';
import type { Mailbox } from '../../src/knowledge/mailbox.ts';
import { OCTOPUS_LIMITS } from '../../src/octopus/limits.ts';
import { OctopusDesk } from '../../src/knowledge/octopus-desk.ts';

const NOTHING = { octopus: [], answers: [], facts: [], rules: [] };
const SET: OctopusRequest = { type: 'set', record: 'queue', sequential: true };

/** A desk, what it has sent to clients, and the journal entries it has requested. */
function newDesk(journalled = true): {
  readonly desk: OctopusDesk;
  /** Clients that do not read their answers. */
  readonly unread: Set<Peer>;
  readonly sent: (readonly [client: string, id: number, reply: OctopusReply])[];
  /** Notifications. */
  readonly told: readonly string[];
  readonly entries: { readonly entry: number; readonly changes: readonly JournalChange[] }[];
  ask(peer: Peer, id: number, request: OctopusRequest, settled?: number): void;
} {
  const sent: (readonly [string, number, OctopusReply])[] = [];
  const told: string[] = [];
  const unread = new Set<Peer>();
  const entries: { entry: number; changes: readonly JournalChange[] }[] = [];
  const sink = {
    push: (effect: KnowledgeEffect) =>
      void ((effect.type === 'journal' || effect.type === 'journal_anew') && entries.push(effect)),
    log: () => undefined,
  };
  const mailbox = {
    send(peer: Peer, message: Message) {
      if (message.type === 'oct_reply')
        sent.push([peer.instance, message.id, JSON.parse(message.text) as OctopusReply]);
      if (message.type === 'oct_notify') told.push(message.text);
    },
    isLong: (peer: Peer) => unread.has(peer),
  } as unknown as Mailbox;
  const desk = new OctopusDesk(sink, mailbox, journalled);
  return {
    desk,
    unread,
    sent,
    told,
    entries,
    ask(peer, id, request, settled = 0) {
      desk.request(peer, { type: 'oct_request', id, settled, request: JSON.stringify(request) });
      desk.flush();
    },
  };
}

function client(instance: string): Peer {
  return new Peer(65_536, 1, instance);
}

describe('Octopus for clients', () => {
  test('OD1: no reply leaves before its change is written, nor a read that has seen it; order is kept', () => {
    const { desk, sent, ask } = newDesk();
    const [a, b] = [client('a'), client('b')];
    desk.opened(NOTHING);
    ask(a, 1, { type: 'set', record: 'x { n: 1 }' });
    ask(b, 1, { type: 'get', query: 'x' });
    ask(a, 2, { type: 'set', record: 'x { n: 2 }' });
    expect(sent).toEqual([]);
    desk.writtenTo(1);
    expect(sent.map(([name, id]) => `${name}${id}`)).toEqual(['a1', 'b1']);
    desk.writtenTo(2);
    expect(sent.map(([name, id]) => `${name}${id}`)).toEqual(['a1', 'b1', 'a2']);
    ask(b, 2, { type: 'get', query: 'x' });
    expect(sent).toHaveLength(4);
  });

  test('OD2: what is asked again after a restart is answered from the journal and not performed again', () => {
    const before = newDesk();
    before.desk.opened(NOTHING);
    before.ask(client('a'), 7, SET);
    const changes = before.entries.flatMap((entry) => entry.changes);
    const answers = changes.flatMap((change) => (change.type === 'answers_put' ? [change] : []));
    const octopus = changes.flatMap((change) => (change.type === 'put' || change.type === 'counter' ? [change] : []));
    const after = newDesk();
    after.ask(client('a'), 7, SET);
    expect(after.sent).toEqual([]);
    after.desk.opened({ ...NOTHING, octopus, answers });
    expect(after.sent).toEqual([['a', 7, { ok: true, record: 'queue_1 {}', installed: false }]]);
    after.ask(client('a'), 8, SET, 8);
    after.desk.writtenTo(1);
    expect(after.sent[1]).toEqual(['a', 8, { ok: true, record: 'queue_2 {}', installed: false }]);
  });

  test('requests of a client that does not read its answers wait, and nobody else’s; there is no turn for them', () => {
    const { desk, sent, unread, ask } = newDesk(false);
    const [a, b] = [client('a'), client('b')];
    unread.add(a);
    ask(a, 1, { type: 'set', record: 'x { n: 1 }' });
    ask(b, 1, { type: 'get', query: 'x' });
    expect(sent).toEqual([['b', 1, expect.objectContaining({ ok: false, error: 'NO_RECORD' })]]);
    expect(desk.unfinished).toBe(false);
    unread.delete(a);
    expect(desk.unfinished).toBe(true);
    desk.turn();
    expect(sent[1]).toMatchObject(['a', 1, { ok: true }]);
  });

  test('answers that the client has are forgotten, in the journal too', () => {
    const { desk, entries, ask } = newDesk();
    const a = client('a');
    desk.opened(NOTHING);
    ask(a, 1, SET);
    ask(a, 2, SET, 2);
    expect(entries[1]!.changes[0]).toEqual({ type: 'answers_forget', client: 'a', below: 2 });
  });

  test('a broken journal: what waited and what comes is refused, nothing is acknowledged', () => {
    const { desk, sent, ask } = newDesk();
    const a = client('a');
    desk.opened(NOTHING);
    ask(a, 1, SET);
    desk.failed('the disk is full');
    ask(a, 2, SET);
    expect(sent.map(([, id, reply]) => [id, reply.ok ? 'ok' : reply.error])).toEqual([
      [1, 'JOURNAL_FAILED'],
      [2, 'JOURNAL_FAILED'],
    ]);
  });

  test('a journal that works again takes everything again; only then what rested on it is told', () => {
    const { desk, sent, told, entries, ask } = newDesk();
    const [a, b, c] = [client('a'), client('b'), client('c')];
    desk.opened(NOTHING);
    ask(b, 1, { type: 'get', query: '_', trigger: { id: 5, inCase: 'NO_RECORD', mode: 1 | 2 | 4 } });
    ask(a, 1, { type: 'set', record: 'kept { n: 1 }' });
    ask(c, 1, { type: 'set', record: 'gone { n: 1 }', transient: true });
    desk.writtenTo(2);
    expect(told).toHaveLength(2);
    ask(a, 2, { type: 'set', record: 'doubtful { n: 1 }' });
    desk.failed('the disk is full');
    desk.gone('c');
    desk.flush();
    ask(a, 3, { type: 'set', record: 'refused { n: 1 }' });
    expect(sent.slice(-2).map(([, id, reply]) => [id, reply.ok ? 'ok' : reply.error])).toEqual([
      [2, 'JOURNAL_FAILED'],
      [3, 'JOURNAL_FAILED'],
    ]);
    expect(desk.journalState).toBe('failed: the disk is full');
    expect(told).toHaveLength(2);
    desk.recovered();
    const anew = entries.at(-1)!;
    const names = anew.changes.flatMap((change) => (change.type === 'put' ? [change.name] : []));
    expect(names.sort()).toEqual(['doubtful', 'kept']);
    expect(anew.changes).toContainEqual(expect.objectContaining({ type: 'answers_put', client: 'a', last: 2 }));
    ask(a, 4, { type: 'get', query: 'kept' });
    expect(told).toHaveLength(2);
    desk.writtenTo(anew.entry);
    expect(told).toHaveLength(4);
    expect(sent.at(-1)).toMatchObject(['a', 4, { ok: true }]);
    expect(desk.journalState).toBe('open');
  });

  test('without a journal replies leave at once; what is not a request is refused', () => {
    const { desk, sent, ask } = newDesk(false);
    const a = client('a');
    ask(a, 1, SET);
    desk.request(a, { type: 'oct_request', id: 2, settled: 0, request: '{"type":"set","record":5}' });
    desk.request(a, { type: 'oct_request', id: 3, settled: 0, request: 'not JSON' });
    expect(sent.map(([, id, reply]) => [id, reply.ok ? 'ok' : reply.error])).toEqual([
      [1, 'ok'],
      [2, 'BAD_REQUEST'],
      [3, 'BAD_REQUEST'],
    ]);
  });

  test('OD3, OD4: a costly query of one client holds up itself: others are answered between its turns, its own requests after it', () => {
    const { desk, sent, ask } = newDesk(false);
    const [greedy, modest] = [client('greedy'), client('modest')];
    for (let i = 0; i < 20; i++) ask(modest, i, { type: 'set', record: `r${i} { v: ${'a'.repeat(7_900)} }` });
    sent.length = 0;
    ask(greedy, 1, { type: 'get', query: "_ { v: r'(a{0,60}){0,4}b' }" });
    ask(greedy, 2, { type: 'set', record: 'after' });
    expect(sent).toEqual([]);
    expect(desk.unfinished).toBe(true);
    ask(modest, 100, { type: 'set', record: 'x' });
    desk.turn();
    desk.flush();
    expect(sent.map(([name, id]) => `${name}${id}`)).toEqual(['modest100']);
    let turns = 0;
    for (; desk.unfinished; turns++) {
      desk.turn();
      desk.flush();
    }
    expect(turns).toBeGreaterThan(10);
    expect(sent.map(([name, id]) => `${name}${id}`)).toEqual(['modest100', 'greedy1', 'greedy2']);
  });

  test('a query over several turns is answered although its client asks nothing else; one whose client goes is given up', () => {
    const { desk, sent, ask } = newDesk(false);
    const [a, b] = [client('a'), client('b')];
    for (let i = 0; i < 3; i++) ask(b, i, { type: 'set', record: `r${i} { v: ${'a'.repeat(7_900)} }` });
    sent.length = 0;
    const query: OctopusRequest = { type: 'get_names', query: "_ { v: r'(a{0,60}){0,4}b' }" };
    for (const [peer, id] of [
      [a, 1],
      [b, 50],
    ] as const)
      ask(peer, id, query);
    desk.gone('b');
    desk.flush();
    for (let turns = 0; desk.unfinished && turns < 1_000; turns++) {
      desk.turn();
      desk.flush();
    }
    expect(sent).toEqual([['a', 1, expect.objectContaining({ error: 'NO_RECORD' })]]);
  });

  test('a client that settles nothing has a bound of answers that are kept for it', () => {
    const { desk, sent, ask } = newDesk();
    const a = client('a');
    desk.opened(NOTHING);
    for (let id = 1; id <= OCTOPUS_LIMITS.maxUnsettled + 1; id++) ask(a, id, { type: 'set', record: 'x' });
    for (let turns = 0; desk.unfinished && turns < 1_000; turns++) {
      desk.turn();
      desk.flush();
    }
    desk.writtenTo(Infinity);
    const last = sent.find(([, id]) => id === OCTOPUS_LIMITS.maxUnsettled + 1);
    expect(last?.[2]).toMatchObject({ error: 'LIMIT_REACHED' });
    ask(a, OCTOPUS_LIMITS.maxUnsettled + 2, { type: 'set', record: 'x' }, OCTOPUS_LIMITS.maxUnsettled + 2);
    desk.writtenTo(Infinity);
    expect(sent.at(-1)![2]).toMatchObject({ ok: true });
  });

  test('and of their characters', () => {
    const { desk, sent, ask } = newDesk();
    const a = client('a');
    desk.opened(NOTHING);
    const record = `x { t: '${'t'.repeat(8_000)}' }`;
    const most = Math.ceil(OCTOPUS_LIMITS.maxUnsettledChars / record.length);
    for (let id = 1; id <= most + 1; id++) ask(a, id, { type: 'set', record });
    for (let turns = 0; desk.unfinished && turns < 1_000; turns++) {
      desk.turn();
      desk.flush();
    }
    desk.writtenTo(Infinity);
    expect(sent.filter(([, , reply]) => 'error' in (reply as object)).map(([, id]) => id)).toEqual([most + 1]);
    ask(a, most + 2, { type: 'set', record: 'x' }, most + 2);
    desk.writtenTo(Infinity);
    expect(sent.at(-1)![2]).toMatchObject({ ok: true });
  });
});
