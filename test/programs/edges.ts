import { programTextOf } from '../../scripts/bundle-program.mjs';
import { ALL_BEYOND, ALL_CHANGED, AS_BUILT_INS } from './large-requests.ts';

/**
 * Programs as a stranger would try them, and how their domains end, word for word the same in both worlds (the first
 * line of the text).
 */
export interface Edge {
  readonly name: string;
  readonly source: string;
  readonly cause: string;
  readonly status: number;
  readonly text: string;
}

const MAIN = (body: string, more = ''): string => `${more}\nexport const main = async (mk) => {\n${body}\n};`;
const fails = (name: string, source: string, text: string, cause = 'UNCAUGHT'): Edge => ({
  name,
  source,
  cause,
  status: 1,
  text,
});
const exits = (name: string, source: string, status: number): Edge => ({
  name,
  source,
  cause: 'exited',
  status,
  text: '',
});
const TRAPPED = `new Proxy({}, { get() { throw new Error('trap'); }, getPrototypeOf() { throw new Error('trap'); } })`;
const rejects = (name: string, body: string, text: string): Edge =>
  fails(name, MAIN(body), `a promise that nobody held: ${text}`, 'UNHANDLED_REJECTION');
/** The outcome of `p` in words: the error's name, or the value. */
const OUTCOME = `const outcome = (p) => Promise.resolve(p).then((v) => 'value ' + String(v), (e) => e.name);`;
const checks = (name: string, body: string, more = ''): Edge => exits(name, MAIN(`${OUTCOME}\n${body}`, more), 0);

/** What is said of a thrown value that throws when it is looked at. */
const UNREADABLE = 'threw an error that cannot be read, which is not an Error';

export const EDGES: readonly Edge[] = [
  fails('throws-text', MAIN(`throw 'a text';`), 'thread main: threw "a text", which is not an Error'),
  fails('throws-nothing', MAIN('throw undefined;'), 'thread main: threw "undefined", which is not an Error'),
  fails('throws-record', MAIN('throw { code: 7 };'), 'thread main: threw "{code: 7}", which is not an Error'),
  fails('throws-trap', MAIN(`throw ${TRAPPED};`), `thread main: ${UNREADABLE}`),
  fails(
    'throws-getter',
    MAIN(`throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('y'); } });`),
    `thread main: ${UNREADABLE}`,
  ),
  fails(
    'throws-control',
    MAIN(`throw new Error('\\u001b[2J\\u0000\\r\\u202e and\\ta tab');`),
    'thread main: Error: \\x1b[2J\\x00\\x0d\\u202e and\ta tab',
  ),
  fails(
    'pollutes-promises',
    MAIN(`Promise.prototype.then = () => { throw new Error('mine'); }; await mk.nop();`),
    'thread main: Error: mine',
  ),
  fails('throws-much', MAIN(`throw new Error('y'.repeat(1e6));`), `thread main: Error: ${'y'.repeat(8172)}`),
  fails(
    'thread-throws',
    MAIN(`mk.threads.spawn('t', () => { throw 7; }).detach(); await mk.sleep(1e12);`),
    'thread t: threw "7", which is not an Error',
  ),
  rejects(
    'rejects-alone',
    `void (async () => { await mk.sleep(1e6); throw new Error('alone'); })(); await mk.sleep(1e12);`,
    'Error: alone',
  ),
  rejects('rejects-and-ends', `void Promise.reject(new Error('at the end')); return 0;`, 'Error: at the end'),
  rejects('rejects-and-exits', `void Promise.reject(8); await mk.exit(3);`, 'threw "8", which is not an Error'),
  rejects(
    'rejects-call',
    `void mk.capabilities.delete(200); await mk.sleep(1e12);`,
    'CAPABILITY_NOT_FOUND: No capability there, or one that is being revoked and so reads as absent.',
  ),
  rejects('rejects-trap', `void Promise.reject(${TRAPPED}); await mk.sleep(1e12);`, UNREADABLE),
  fails(
    'rejects-far',
    `import { program } from '@mk/libmk/program/program';
    const threads = { far: async (mk) => { void Promise.reject(new Error('far')); await mk.sleep(1e12); } };
    export const main = program({ name: 'far', threads }, async (mk) => { await mk.span(1); await mk.spawnOn(1, 'far').join(); });`,
    'a promise that nobody held: Error: far',
    'UNHANDLED_REJECTION',
  ),
  rejects(
    'rejects-many',
    `for (let i = 0; i < 3e4; i += 1) void Promise.reject(i);`,
    'threw "0", which is not an Error',
  ),
  // Its promise must not be blamed on whoever runs later.
  fails('throws-on-load', `void Promise.reject(new Error('left behind')); throw 'at once';`, 'at once'),
  checks(
    'held-in-time',
    `const one = Promise.reject(new Error('one')); await null; await null; await one.catch(() => undefined);
    const two = (async () => { throw new Error('two'); })(); for (let i = 0; i < 100; i += 1) await null;
    mk.assert((await outcome(two)) === 'Error', 'held in the same turn');
    const three = mk.threads.spawn('three', () => { throw new Error('three'); }); await mk.sleep(1e6);
    mk.assert((await outcome(three.join())) === 'Error', 'a thread’s end is kept for who joins it');
    await Promise.all([mk.sleep(1), Promise.reject(4)]).catch(() => undefined);
    await Promise.race([mk.sleep(1e6), mk.capabilities.delete(200)]).catch(() => undefined); await mk.sleep(2e6);`,
  ),
  fails(
    'no-main',
    'export const main = 5;',
    'no-main exports no main: export a function of mk, or the result of program(…)',
    'NO_PROGRAM',
  ),
  fails(
    'prints-on-load',
    `console.log('it is loaded'); console.error(new Error('seen')); throw new Error('then it fails');\n${MAIN('return 0;')}`,
    'Error: then it fails',
  ),
  checks(
    'prints-in-a-turn',
    `let ends = 0;
    mk.runtime.beforeTurnEnds(() => void (ends += 1));
    console.log('one'); console.warn('two');
    mk.assert(ends === 0, 'what a turn gathers waits for its end, whatever is printed');
    await mk.sleep(1);
    mk.assert(ends > 0, 'it ended');`,
  ),
  exits(
    'far-error',
    `import { program } from '@mk/libmk/program/program';
    const threads = { far: function thrower() { throw new RangeError('too far'); } };
    export const main = program({ name: 'far', threads }, async (mk) => {
      await mk.span(1);
      const error = await mk.spawnOn(1, 'far').join().catch((e) => e);
      mk.assert(error.name === 'RangeError' && /^RangeError: too far\\n +at .*thrower .*far-error:/.test(error.stack), error.stack);
    });`,
    0,
  ),
  exits(
    'leaves-nothing',
    `import { program } from '@mk/libmk/program/program';
    export const main = program({ name: 'tidy', strict: true }, async (mk) => {
      await mk.threads.spawn('t', () => mk.sleep(1e6)).join(); await mk.threads.mutex().with(() => mk.yield());
    });`,
    0,
  ),
  fails(
    'leaves-much',
    `import { program } from '@mk/libmk/program/program';
    export const main = program({ name: 'untidy', strict: true }, async (mk) => {
      mk.threads.spawn('sleeper', () => mk.sleep(1e12)); await mk.threads.mutex('m').lock();
    });`,
    'LEFTOVERS: thread sleeper has not ended; mutex m is held',
    'LEFTOVERS',
  ),
  checks(
    'no-interface',
    `const wrong = {
      'BAD_REQUEST: {} is not an interface: defineInterface makes one': () => mk.export('a', {}, {}),
      'BAD_REQUEST: 7 is not an interface: defineInterface makes one': () => mk.bind('a', 7),
    };
    for (const [text, call] of Object.entries(wrong)) {
      const said = await call().then(() => 'nothing', (e) => e.message);
      mk.assert(said === text, said);
    }`,
  ),
  exits(
    'serves-nothing',
    `import { program } from '@mk/libmk/program/program';
    import { defineInterface, event, message, rpc } from '@mk/libmk/interface/interface';
    const Shop = defineInterface('shop', { buy: rpc({}), look: message({}), sale: event({}) });
    export const main = program({ name: 'shop' }, async (mk) => {
      const said = await mk.export('shop', Shop, { buy: () => ({}) }).catch((e) => e.message);
      mk.assert(said === 'BAD_REQUEST: shop is exported without a function for look; mk.listen needs none', said);
      await mk.export('shop', Shop, { buy: () => ({}), look: () => undefined });
    });`,
    0,
  ),
  fails('empty', '', 'empty exports no main: export a function of mk, or the result of program(…)', 'NO_PROGRAM'),
  fails(
    'exits-with-text',
    MAIN(`await mk.exit('x');`),
    'thread main: BAD_REQUEST: x is not an exit status: use a whole number',
  ),
  fails(
    'returns-nan',
    MAIN('return NaN;'),
    'thread main: BAD_REQUEST: main returned NaN: an exit status is a whole number',
  ),
  fails(
    'sleeps-nan',
    MAIN('await mk.sleep(NaN);'),
    'thread main: BAD_REQUEST: the time to sleep is NaN: a time is a number of nanoseconds',
  ),
  exits('exits-twice', MAIN('void mk.exit(3); void mk.exit(4); await mk.sleep(1); return 5;'), 3),
  exits('exits-far', MAIN('return 100000;'), 100000),
  checks(
    'prints-anything',
    `const cyclic = {}; cyclic.self = cyclic;
    mk.console.log(cyclic, ${TRAPPED}, 'x'.repeat(1e7), new Array(2 ** 32 - 1), { get x() { throw new Error('g'); } });`,
  ),
  // Calls that cannot cross are answered even if nothing else wakes the dispatcher.
  checks(
    'asks-garbage',
    `const cyclic = []; cyclic.push(cyclic);
    for (const bad of [NaN, cyclic, 10n, () => 1, ${TRAPPED}, new Uint8Array(3e5), 'x'.repeat(3e5), { get a() { throw new Error('g'); } }])
      mk.assert((await outcome(mk.processes.spawn('nothing', { args: [bad] }))) === 'BAD_SYSTEM_CALL', typeof bad);
    for (const args of [7, null, { length: 1e9 }, ${TRAPPED}])
      mk.assert(mkBorder.callNow('nop', args).error === 'BAD_SYSTEM_CALL', 'at once');
    mk.assert(mkBorder.callNow('nonsense', []).text === 'there is no system call "nonsense"', 'named');`,
  ),
  checks('asks-too-much', ALL_BEYOND),
  checks('changes-and-asks', ALL_CHANGED),
  fails(
    'dies-of-too-much',
    MAIN('new Array(1e9).fill(0);'),
    'thread main: RangeError: Array.prototype.fill could take 8000000000 bytes of the heap at once; a dispatcher may take 16777216',
  ),
  checks('guards-are-built-ins', AS_BUILT_INS),
  checks(
    'waits-oddly',
    `const mutex = mk.threads.mutex('m'); mutex.tryLock();
    const took = (timeoutNs) => mk.threads.spawn('w', () => outcome(mutex.lock({ timeoutNs }).then(() => mutex.unlock()))).join();
    mk.assert([await took(0), await took(-1), await took(-Infinity)].every((e) => e === 'DEADLINE_EXCEEDED'), 'late');
    mk.assert([await took(NaN), await took('5')].every((e) => e === 'BAD_REQUEST'), 'no time');
    const waits = took(Infinity); await mk.yield(); mutex.unlock();
    mk.assert((await waits) === 'value undefined', 'for ever');`,
  ),
  // A caller that has given up takes nothing and begins nothing; what was made for it meanwhile goes back.
  checks(
    'gives-up',
    `const over = mk.cancellation(); over.cancel();
    const refused = async (what, wait) => {
      mk.assert((await outcome(wait({ signal: over.signal }))) === 'CANCELLED', what + ' cancelled');
      mk.assert((await outcome(wait({ timeoutNs: NaN }))) === 'BAD_REQUEST', what + ' at no time');
    };
    const events = mk.threads.events('e'); events.push(1);
    const ticks = mk.threads.events('t'); ticks.push(2);
    const set = mk.threads.waitSet().add('t', ticks);
    const [permits, mutex] = [mk.threads.semaphore(1), mk.threads.mutex('m')];
    const ended = mk.threads.spawn('ended', () => 5); await mk.yield();
    await refused('a queue', (o) => events.receive(o)); await refused('a set', (o) => set.next(o));
    await refused('a permit', (o) => permits.wait(o)); await refused('a mutex', (o) => mutex.lock(o));
    await refused('a join', (o) => ended.join(o));
    mk.assert(events.length === 1 && ticks.length === 1 && permits.value === 1 && !mutex.locked, 'nothing is lost');
    mk.assert((await set.next({ timeoutNs: 0 })).value === 2 && (await events.receive({ timeoutNs: 0 })) === 1, 'what is there is taken');
    const ram = await mk.capabilities.alloc(4096);
    await refused('an allocation', (o) => mk.capabilities.alloc(4096, o)); await refused('a copy', (o) => mk.capabilities.copy(ram, o));
    await refused('a span', (o) => mk.span(1, o));
    for (let i = 0; i < 600; i += 1) {
      const meanwhile = mk.cancellation();
      const made = i % 2 ? mk.capabilities.alloc(4096, { signal: meanwhile.signal }) : mk.capabilities.copy(ram, { signal: meanwhile.signal });
      meanwhile.cancel();
      mk.assert((await outcome(made)) === 'CANCELLED', 'given up');
      await mk.nop();
    }
    await mk.capabilities.delete(await mk.capabilities.copy(ram)); await mk.capabilities.delete(await mk.capabilities.alloc(4096));
    await mk.span(1);`,
  ),
  exits(
    'gives-up-calls',
    `import { program } from '@mk/libmk/program/program';
    import { defineInterface, message, rpc } from '@mk/libmk/interface/interface';
    import { cap, u32 } from '@mk/libmk/interface/kinds';
    const Till = defineInterface('till', { add: message({ n: u32 }), sum: rpc({ in: { n: u32 }, out: { n: u32 } }), make: rpc({ in: {}, out: { c: cap } }) });
    export const main = program({ name: 'till' }, async (mk) => {
      ${OUTCOME}
      let sum = 0; const ram = await mk.capabilities.alloc(4096);
      const make = async () => { await mk.sleep(1e6); return { c: ram }; };
      await mk.export('till', Till, { add: ({ n }) => { sum += n; }, sum: ({ n }) => ({ n: (sum += n) }), make });
      const over = mk.cancellation(); over.cancel();
      for (const o of [{ signal: over.signal }, { timeoutNs: NaN }, { timeoutNs: 0 }])
        mk.assert(/CANCELLED|BAD_REQUEST|DEADLINE_EXCEEDED/.test(await outcome(mk.bind('till', Till, o))), 'a bind');
      const till = await mk.bind('till', Till);
      const refused = [];
      for (const o of [{ signal: over.signal }, { timeoutNs: NaN }])
        for (const call of [till.add, till.sum, till.make]) refused.push(await outcome(call({ n: 1 }, o)));
      refused.push(await outcome(till.sum({ n: 1 }, { timeoutNs: 0 })));
      mk.assert(refused.join() === 'CANCELLED,CANCELLED,CANCELLED,BAD_REQUEST,BAD_REQUEST,BAD_REQUEST,DEADLINE_EXCEEDED', refused.join());
      mk.assert((await till.sum({ n: 1 })).n === 1, 'nothing was sent before');
      for (let i = 0; i < 300; i += 1) mk.assert((await outcome(till.make({}, { timeoutNs: 1e6 }))) === 'DEADLINE_EXCEEDED', 'too late');
      await mk.sleep(1e8);
      await mk.capabilities.delete((await till.make({})).c);
    });`,
    0,
  ),
  // A source that is always ready waits behind those that became ready meanwhile: none waits for more than one event of
  // each other source.
  checks(
    'waits-fairly',
    `const set = mk.threads.waitSet(); const [a, b, c] = ['a', 'b', 'c'].map((tag) => mk.threads.events(tag));
    const busy = { label: 'busy', take: () => ({ ok: true, value: 0 }), onReady: () => () => undefined };
    for (const [tag, source] of Object.entries({ busy, a, b, c })) set.add(tag, source);
    const take = async (n) => { const said = []; for (let i = 0; i < n; i += 1) said.push((await set.next()).tag); return said.join(' '); };
    mk.assert((await take(3)) === 'busy busy busy', 'alone');
    c.push(1); a.push(1); a.push(2); b.push(1);
    const said = await take(8); mk.assert(said === 'busy c a b busy a busy busy', said);
    let between = 0, most = 0, ticks = 0; set.add('tick', mk.threads.every(1e6));
    mk.threads.spawn('feeder', async () => { for (;;) { await mk.sleep(1e6); a.push(0); b.push(0); } }).detach();
    const seen = { a: 0, b: 0, tick: 0, busy: 0 };
    while (Math.min(seen.a, seen.b, seen.tick) < 20) {
      const { tag } = await set.next(); seen[tag] += 1; mk.work(2e4);
      between = tag === 'busy' && a.length + b.length > 0 ? between + 1 : 0; most = Math.max(most, between);
    }
    mk.assert(most <= 1, 'one event of the busy source at most while others wait: ' + most);
    const loops = mk.threads.waitSet().add('c', c); let ended = 0;
    const all = [1, 2, 3].map((n) => mk.threads.spawn('loop' + n, async () => { for await (const _ of loops); ended += 1; }));
    await mk.yield(); c.push(1); await mk.yield(); loops.remove(c);
    for (const thread of all) await thread.join();
    const last = mk.threads.after(1e3); const set2 = mk.threads.waitSet().add('last', last); let taken = 0;
    const two = [1, 2].map((n) => mk.threads.spawn('l' + n, async () => { for await (const { ok } of set2) if (ok) { taken += 1; last.stop(); } }));
    for (const thread of two) await thread.join();
    mk.assert(ended === 3 && taken === 1, 'every loop ends with the last source');`,
  ),
  checks(
    'thread-crowd',
    `const gate = mk.threads.semaphore(0); const set = mk.threads.waitSet(); let through = 0;
    const crowd = Array.from({ length: 2000 }, (_, i) => mk.threads.spawn('t' + i, async () => { await gate.wait(); through += 1; }));
    const queues = Array.from({ length: 10_000 }, (_, i) => mk.threads.events('q' + i));
    for (const queue of queues) set.add(queue.label, queue);
    for (const queue of queues) queue.push(queue.label);
    const taken = new Set();
    for (const _ of queues) taken.add((await set.next()).value);
    mk.assert(taken.size === 10_000 && set.poll() === null, 'an event of each');
    for (let i = 0; i < 2000; i += 1) gate.post();
    for (const thread of crowd) await thread.join();
    mk.assert(through === 2000, String(through));
    const gone = mk.threads.spawn('gone', () => 1); gone.detach();
    mk.assert((await outcome(gone.join())) === 'THREAD_DETACHED', 'detached');`,
  ),
  exits(
    'crosses-oddly',
    `import { program } from '@mk/libmk/program/program';
    const cyclic = {}; cyclic.self = cyclic;
    const threads = {
      wander: (mk, { n }) => (n === 0 ? 'home' : mk.moveTo(1 - mk.self.core, 'wander', { n: n - 1 })),
      code: () => () => 1, cyclic: () => cyclic, nan: () => NaN, large: () => 'x'.repeat(4e5), text: () => { throw 'a text'; },
      far: (mk) => mk.moveTo(77, 'wander', { n: 1 }), nowhere: (mk) => mk.moveTo(1, 'nothing'), state: (mk) => mk.moveTo(1, 'wander', { n: NaN }),
    };
    export const main = program({ name: 'crosses', threads }, async (mk) => {
      const ends = {}; await mk.span(1);
      for (const name of Object.keys(threads)) ends[name] = await mk.spawnOn(1, name, { n: 5 }).join().then((v) => v, (e) => e.name);
      const said = JSON.stringify(ends);
      mk.assert(said === '{"wander":"home","code":"BAD_REQUEST","cyclic":"BAD_REQUEST","nan":"BAD_REQUEST","large":"BAD_REQUEST",' +
        '"text":"ThrownValue","far":"PEER_UNKNOWN","nowhere":"NO_SUCH_THREAD","state":"BAD_SYSTEM_CALL"}', said);
    });`,
    0,
  ),
  exits(
    'serves-oddly',
    `import { program } from '@mk/libmk/program/program';
    import { defineInterface, rpc } from '@mk/libmk/interface/interface';
    import { cap, u32 } from '@mk/libmk/interface/kinds';
    const Odd = defineInterface('odd', { answer: rpc({ in: { n: u32 }, out: { n: u32 } }), take: rpc({ in: { c: cap }, out: { n: u32 } }) });
    const getter = { get n() { throw 'a getter'; } };
    const ANSWERS = [() => getter, async () => getter, () => { throw ${TRAPPED}; }, async () => { throw 'x'.repeat(1e6); }, () => ({ n: NaN }), () => ({ n: 7 })];
    export const main = program({ name: 'serves' }, async (mk) => {
      if (mk.args[0] === 'server') {
        await mk.export('odd', Odd, { answer: ({ n }) => ANSWERS[n](), take: () => ({ n: 1 }) });
        await mk.sleep(1e15);
      }
      const named = (p) => p.then(({ n }) => n, (e) => e.name);
      const server = await mk.processes.spawn(null, { core: 1, args: ['server'] });
      const odd = await mk.bind('odd', Odd);
      mk.assert((await mk.names.list()).includes('odd'), 'listed');
      const said = [];
      for (let n = 0; n < ANSWERS.length; n += 1) said.push(await named(odd.answer({ n })));
      mk.assert(said.join() === 'HANDLER_FAILED,HANDLER_FAILED,HANDLER_FAILED,HANDLER_FAILED,HANDLER_FAILED,7', said.join());
      for (const timeoutNs of [0, -1]) mk.assert((await named(odd.answer({ n: 5 }, { timeoutNs }))) === 'DEADLINE_EXCEEDED', 'late');
      mk.assert((await named(odd.answer({ n: 5 }, { timeoutNs: NaN }))) === 'BAD_REQUEST', 'no time');
      mk.assert((await named(odd.answer({ n: 5 }, { timeoutNs: Infinity }))) === 7, 'for ever');
      const ram = await mk.capabilities.alloc(4096);
      const twice = [await named(odd.take({ c: ram })), await named(odd.take({ c: ram }))];
      await mk.capabilities.delete(ram);
      twice.push(await named(odd.take({ c: ram })));
      const other = await mk.capabilities.alloc(4096);
      await server.kill();
      twice.push(await named(odd.take({ c: other })));
      mk.assert(twice.join() === '1,1,CAPABILITY_NOT_FOUND,DISPATCHER_GONE', twice.join());
      await mk.capabilities.delete(other);
      await server.wait();
    });`,
    0,
  ),
];

/** The text of one, as the commands make it of a file. */
export function edgeText({ name, source }: Pick<Edge, 'name' | 'source'>): Promise<string> {
  const made = source === '' ? 'const main = undefined;' : source.replace('export const main', 'const main');
  return programTextOf(
    `import { start } from '@mk/libmk/program/program';\n${made}\nstart(main, ${JSON.stringify(name)});\n`,
  );
}

/** How a domain ended, in the words that both worlds share. */
export function endOf(name: string, end: { readonly cause: string; readonly status: number; readonly text: string }) {
  const { cause, status, text } = end;
  return { name, cause, status, text: text.split('\n', 1)[0] };
}

/** What `endOf` gives of each. */
export const ENDS = EDGES.map(({ name, ...end }) => endOf(name, end));
