import { describe, expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { MESSAGES } from '@mk/monitor-proto/messages/table';
import type { PageMessage } from '@mk/node-kernel/memory/coherence/messages';
import { CoherenceWorld } from './coherence-world.ts';

/*
 * The races of coherence, each by name: messages are delivered one by one, in the order that the race needs. Core 0 is
 * the home of page 0; M1 to M5 are checked after every delivery.
 */
const [HOME, A, B, C] = [0, 1, 2, 3] as const;
const PAGE = 0;

class Scene extends CoherenceWorld {
  constructor(pages = 1) {
    super(4, pages, createPrng(1));
    this.quiet = 'at once';
  }

  /** Delivers the next message between two cores, which must have this type. */
  deliver(from: number, to: number, type: PageMessage['type']): void {
    const next = this.links.get(`${from}>${to}`)?.shift();
    expect([from, to, next?.message.type]).toEqual([from, to, type]);
    const node = this.nodes[to]!;
    node.directory.receive(from, next!.message);
    node.cache.receive(from, next!.message);
    this.check();
  }

  /** Delivers everything in flight, in any order. */
  settle(): void {
    while (this.step());
    this.expectWhole();
    for (const { alive, directory, cache } of this.nodes)
      if (alive) expect([directory.leftovers, cache.leftovers]).toEqual([[], []]);
  }

  expectWhole(): void {
    expect(this.broken).toEqual([]);
  }

  /** A core has the page in this state, and nothing is in flight. */
  has(core: number, need: 'read' | 'write', value = 1n): void {
    if (need === 'write') this.write(core, PAGE, value);
    else this.read(core, PAGE);
    this.settle();
  }

  states(): readonly string[] {
    return this.nodes.map(({ cache }) => cache.stateOf(PAGE));
  }

  gone(core: number): void {
    this.crash(core);
    this.declareGone(core);
  }
}

/** The outcome of an access. */
function outcome(scene: Scene, core: number, need: 'read' | 'write'): { error: string | null | undefined } {
  const told: { error: string | null | undefined } = { error: undefined };
  scene.nodes[core]!.cache.access(PAGE, need, (error) => (told.error = error));
  scene.check();
  return told;
}

describe('races of coherence', () => {
  test('an upgrade from shared to modified meets an invalidation', () => {
    const scene = new Scene();
    scene.has(A, 'read');
    scene.has(B, 'read');
    scene.write(A, PAGE, 10n);
    scene.write(B, PAGE, 20n);
    scene.deliver(B, HOME, 'page_request'); // the other arrives first and takes A's copy, which A has reported
    scene.deliver(HOME, A, 'page_invalidate');
    scene.deliver(A, HOME, 'page_request');
    expect(scene.states()[A]).toBe('invalid');
    scene.settle();
    expect([scene.done, scene.model.get(PAGE)]).toEqual([4, 10n]);
    scene.has(C, 'read'); // M2 compares
  });

  test('a write-back meets a request that was forwarded to its sender', () => {
    const scene = new Scene();
    scene.has(A, 'write', 5n);
    expect(scene.nodes[A]!.cache.evict(PAGE)).toBe(true);
    scene.read(B, PAGE);
    scene.deliver(B, HOME, 'page_request');
    scene.deliver(HOME, A, 'page_fetch'); // to the core that has just sent the page home
    scene.deliver(A, HOME, 'page_writeback');
    scene.settle();
    expect(scene.nodes[HOME]!.directory.report(PAGE)).toMatchObject({ lost: false, sharers: [B], owner: null });
  });

  test('a stale write-back from who no longer owns the page is dropped', () => {
    const scene = new Scene();
    scene.has(A, 'write', 5n);
    scene.has(B, 'write', 6n);
    const bytes = new Uint8Array(64).fill(99);
    for (const version of [1, 2, 3])
      scene.nodes[HOME]!.directory.receive(A, { type: 'page_writeback', page: PAGE, version, data: bytes });
    expect(scene.nodes[HOME]!.directory.report(PAGE)).toMatchObject({ owner: B, statistics: { writebacks: 0 } });
    scene.nodes[HOME]!.directory.receive(B, { type: 'page_writeback', page: PAGE, version: 1, data: bytes }); // from an earlier version
    expect(scene.nodes[HOME]!.directory.report(PAGE)).toMatchObject({ owner: B });
    scene.has(C, 'read');
  });

  test('a write while its page is being evicted', () => {
    const scene = new Scene();
    scene.has(A, 'write', 5n);
    scene.quiet = 'later';
    expect(scene.nodes[A]!.cache.evict(PAGE)).toBe(true);
    scene.write(A, PAGE, 6n); // its dispatcher has not quiesced: nothing leaves before the write-back
    expect(scene.links.get(`${A}>${HOME}`) ?? []).toEqual([]);
    expect(scene.nodes[A]!.cache.evict(PAGE)).toBe(false);
    scene.quiet = 'at once';
    scene.quiescing.shift()!();
    expect(scene.links.get(`${A}>${HOME}`)!.map(({ message }) => message.type)).toEqual([
      'page_writeback',
      'page_request',
    ]);
    scene.settle();
    expect([scene.states()[A], scene.model.get(PAGE)]).toEqual(['modified', 6n]);
    scene.has(B, 'read');
  });

  test('pages of two homes have an entry each, at their own', () => {
    const scene = new Scene(2);
    scene.write(C, 0, 1n);
    scene.write(C, 1, 2n);
    scene.settle();
    expect(scene.nodes[0]!.directory.reports().map(({ page }) => page)).toEqual([0]);
    expect(scene.nodes[1]!.directory.reports().map(({ page }) => page)).toEqual([1]);
    scene.gone(0);
    scene.read(B, 1);
    scene.settle();
    expect([scene.lost, scene.nodes[1]!.directory.report(1)!.sharers]).toEqual([0, [B, C]]);
  });

  test('the target of an invalidation is gone: it is answered for', () => {
    const scene = new Scene();
    scene.has(A, 'read');
    scene.has(B, 'read');
    scene.crash(A);
    scene.write(C, PAGE, 7n);
    scene.deliver(C, HOME, 'page_request');
    while (scene.step());
    expect(scene.states()[C]).toBe('invalid'); // it waits for A
    scene.declareGone(A);
    scene.settle();
    expect(scene.states()[C]).toBe('modified');
  });

  test.each([
    ['modified', 'write', 'read'],
    ['shared, and asks to write', 'read', 'write'],
  ] as const)(
    'an invalidation that went by a tree comes late to a core whose later copy is %s: it stays',
    (_name, need, then) => {
      const scene = new Scene();
      scene.has(A, 'read');
      scene.write(B, PAGE, 8n);
      scene.deliver(B, HOME, 'page_request');
      const [late] = scene.links.get(`${HOME}>${A}`)!;
      scene.settle();
      scene.has(A, need, 9n);
      if (then === 'write') scene.write(A, PAGE, 10n);
      let acted = false;
      scene.nodes[A]!.cache.invalidate(
        PAGE,
        (late!.message as { transaction: number }).transaction,
        () => (acted = true),
      );
      expect([acted, scene.states()[A]]).toEqual([true, need === 'write' ? 'modified' : 'shared']);
      scene.settle();
      scene.has(C, 'read'); // M2 compares
    },
  );

  test('the memory of a page is free while cores wait for it: they hear so, its copies and its entry go, and it is zero', () => {
    const scene = new Scene();
    scene.has(A, 'write', 7n);
    const { directory } = scene.nodes[HOME]!;
    const asked: (string | null)[] = [];
    directory.forget([PAGE]); // the recall of A's copy is in flight
    for (const core of [B, C]) scene.nodes[core]!.cache.access(PAGE, 'read', (error) => asked.push(error));
    scene.deliver(B, HOME, 'page_request');
    scene.deliver(C, HOME, 'page_request');
    let again = false;
    directory.reset(PAGE, () => (again = true)); // its next use waits for it
    scene.model.delete(PAGE);
    scene.settle();
    expect({ asked, again }).toEqual({ asked: ['PAGE_GONE', 'PAGE_GONE'], again: true });
    expect(directory.reports()).toEqual([]);
    expect(scene.nodes.map(({ cache }) => cache.held())).toEqual([[], [], [], []]);
    scene.has(B, 'read');
    expect(directory.report(PAGE)).toMatchObject({ state: 'shared', version: 0, statistics: { reads: 1, writes: 0 } });
  });

  test('the home went before this core was there: nobody tells it so, and every access ends (M4)', () => {
    const scene = new Scene();
    scene.unmet.add(HOME);
    const ends: (string | null)[] = [outcome(scene, A, 'read').error ?? null, outcome(scene, A, 'write').error ?? null];
    const { cache } = scene.nodes[A]!;
    cache.snapshot(PAGE, (error) => ends.push(error));
    cache.put(PAGE, 0, new Uint8Array(8), (error) => ends.push(error));
    cache.atomic(PAGE, { operation: 'add', offset: 0, operand: 1n, expected: 0n }, (error) => ends.push(error));
    expect(ends).toEqual(Array.from({ length: 5 }, () => 'HOME_LOST'));
    expect(cache.leftovers).toEqual([]);
    scene.unmet.delete(HOME);
    scene.has(A, 'write', 3n);
  });

  test('the owner is gone while the page is recalled: it is lost by name, and its old version never given out', () => {
    const scene = new Scene();
    scene.has(A, 'write', 5n);
    const reader = outcome(scene, B, 'read');
    scene.deliver(B, HOME, 'page_request');
    scene.gone(A);
    scene.settle();
    expect(reader.error).toBe('PAGE_LOST');
    const later = outcome(scene, C, 'read');
    scene.settle();
    expect([later.error, scene.nodes[HOME]!.directory.report(PAGE)?.lost]).toEqual(['PAGE_LOST', true]);
  });

  test('the requester is gone while the page is recalled for it: the owner’s bytes are home, the next gets them', () => {
    const scene = new Scene();
    scene.has(A, 'write', 5n);
    scene.write(B, PAGE, 6n);
    scene.deliver(B, HOME, 'page_request');
    scene.gone(B);
    scene.settle();
    scene.has(C, 'read');
    expect(scene.nodes[HOME]!.directory.report(PAGE)).toMatchObject({ lost: false, owner: null });
  });

  test('data and the invalidation that follows it are on one lane, whatever they are about', () => {
    const lanes = Object.entries(MESSAGES)
      .filter(([name]) => name.startsWith('page_') && !name.startsWith('page_reset'))
      .map(([, { lane }]) => lane);
    expect([lanes.length, new Set(lanes).size]).toEqual([13, 1]);
    const scene = new Scene();
    scene.read(A, PAGE);
    scene.write(B, PAGE, 9n);
    scene.deliver(A, HOME, 'page_request');
    scene.deliver(B, HOME, 'page_request');
    scene.deliver(HOME, A, 'page_grant'); // no invalidation leaves before A has reported the installation
    expect(scene.links.get(`${HOME}>${A}`)).toEqual([]);
    scene.deliver(A, HOME, 'page_granted');
    scene.deliver(HOME, A, 'page_invalidate');
    scene.settle();
  });

  test.each([
    ['nobody has a copy', (): void => undefined, []],
    ['it is shared', (scene: Scene) => [A, B].forEach((core) => scene.has(core, 'read')), []],
    ['it is modified', (scene: Scene) => scene.has(A, 'write'), []],
    ['it is being recalled', (scene: Scene) => scene.has(A, 'write'), [[B, HOME, 'page_request']]],
    ['its grant is under way', (): void => undefined, [[B, HOME, 'page_request']]],
  ] as const)('the home dies while %s: no copy stays, whoever waits is told', (_name, prepare, deliveries) => {
    const scene = new Scene();
    prepare(scene);
    const waiting = outcome(scene, B, 'write');
    for (const [from, to, type] of deliveries) scene.deliver(from, to, type);
    scene.crash(HOME);
    scene.links.forEach((queue) => queue.splice(0));
    scene.declareGone(HOME);
    scene.settle();
    expect(waiting.error).toBe('HOME_LOST');
    expect(scene.states().slice(1)).toEqual(['invalid', 'invalid', 'invalid']);
    const later = outcome(scene, C, 'read');
    expect(later.error).toBe('HOME_LOST');
  });
});
