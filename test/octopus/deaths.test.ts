/**
 * Recipes survive members, and an SKB, that die or fall silent at any point: one run counts the events that the victim
 * and the SKB handle, then for each of them another run strikes there. The others carry on, the recipes' invariants
 * hold throughout, and a silenced member learns on waking what it has lost.
 */
import { describe, expect, test } from '@jest/globals';
import { enterBarrier } from '@mk/libmk/octopus/barrier';
import { acquireLock } from '@mk/libmk/octopus/lock';
import type { Octopus } from '@mk/libmk/octopus/octopus';
import { acquirePermit, postSemaphore } from '@mk/libmk/octopus/semaphore';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { SimulatedMembers } from './simulated-members.ts';

const VICTIM = 1;
const SURVIVORS = [0, 2] as const;
const SPARE = 3;
/** More seeds: other orders of events. */
const SEEDS = Number(process.env['MK_DEATH_SEEDS'] ?? 1);
const ENOUGH = 'enough';
/** Long after the session time-out. */
const SILENCE = 30 * SECOND;

/** The work of a recipe's members, and what must hold. */
interface Story {
  prepare?(octopus: Octopus): Promise<void>;
  /** Ends at `stop`, which comes once the survivors are done, if it would otherwise wait for others. */
  work(member: Octopus, core: number, state: State, stop: AbortSignal): Promise<void>;
  /** Arrives when the victim has died, and stays until told to stop. */
  replace?(member: Octopus, state: State, stop: AbortSignal): Promise<void>;
  check?(octopus: Octopus, state: State): Promise<void>;
}

/** The test's view of all members; the dead hold nothing. */
class State {
  readonly holders = new Set<number>();
  readonly tokens: number[] = [];
  readonly entered = new Map<number, number>();
  readonly kept = new Map<string, number>();
  readonly dead = new Set<number>();
}

const STORIES: { readonly [name: string]: Story } = {
  lock: {
    async work(member, core, state) {
      for (let round = 0; round < 2; round++) {
        const lock = await acquireLock(member, "it's a lock\n");
        if (state.dead.has(core)) return lock.release();
        expect([...state.holders]).toEqual([]);
        expect(lock.token).toBeGreaterThan(state.tokens.at(-1) ?? 0);
        state.tokens.push(lock.token);
        state.holders.add(core);
        lock.signal.addEventListener('abort', () => state.holders.delete(core));
        await member.get('anything');
        state.holders.delete(core);
        await lock.release();
      }
    },
    async check(octopus) {
      expect(await octopus.getNames("r'^lock:'")).toEqual([]);
    },
  },
  semaphore: {
    async prepare(octopus) {
      for (let permit = 0; permit < 2; permit++) await postSemaphore(octopus, 'sem');
    },
    async work(member, core, state) {
      for (let round = 0; round < 2; round++) {
        const permit = await acquirePermit(member, 'sem');
        if (state.dead.has(core)) return permit.release();
        state.holders.add(core);
        permit.signal.addEventListener('abort', () => state.holders.delete(core));
        expect(state.holders.size).toBeLessThanOrEqual(2);
        await member.get('anything');
        state.holders.delete(core);
        await permit.release();
      }
    },
    async check(octopus) {
      expect(await octopus.getNames("r'^permit:'")).toEqual([]);
      expect(await octopus.getNames("r'^semaphore:'")).toHaveLength(2);
    },
  },
  'double barrier': {
    async work(member, core, state, stop) {
      for (let round = 0; round < 2; round++) {
        const barrier = await enterBarrier(member, 'bar', 3, stop);
        if (state.dead.has(core)) return barrier.leave(stop);
        state.entered.set(core, round + 1);
        // Nobody gets through while another survivor is still outside the round.
        if (!state.dead.has(VICTIM)) {
          const least = Math.min(...[VICTIM, ...SURVIVORS].map((each) => state.entered.get(each) ?? 0));
          expect(least).toBeGreaterThanOrEqual(round);
        }
        await barrier.leave(stop);
      }
    },
    async replace(member, _state, stop) {
      for (;;) await (await enterBarrier(member, 'bar', 3, stop)).leave(stop);
    },
    async check(octopus) {
      expect(await octopus.getNames("r'^barrier:bar:entry'")).toEqual([]);
    },
  },
  sequence: {
    async work(member, core, state) {
      for (let round = 0; round < 3; round++) {
        const { name } = await member.set(`job { by: ${core}, round: ${round} }`, { sequential: true });
        expect(state.kept.has(name)).toBe(false);
        state.kept.set(name, core);
      }
    },
    async check(octopus, state) {
      for (const [name, core] of state.kept) expect((await octopus.get(name))?.attributes['by']).toBe(core);
      for (const core of SURVIVORS) expect(await octopus.getNames(`r'^job' { by: ${core} }`)).toHaveLength(3);
    },
  },
};

interface Blow {
  readonly victim: number;
  readonly kind: 'dies' | 'is silent';
}

/** One run; strikes after `killAt` events. Returns their number until the survivors had finished their work. */
async function play(story: Story, { victim, kind }: Blow, killAt: number, seed: number): Promise<number> {
  const members = new SimulatedMembers(seed, 4);
  const state = new State();
  const failures: unknown[] = [];
  const finished = new Set<number>();
  const spare = members.member(SPARE);
  await finish(members, story.prepare?.(spare));
  members.watch(victim);
  const stop = new AbortController();
  const struck = members.member(VICTIM);
  const working = [...SURVIVORS, VICTIM].map((core) =>
    story
      .work(core === VICTIM ? struck : members.member(core), core, state, stop.signal)
      .catch((error: unknown) => void (core === victim ? mayFail(error) || failures.push(error) : failures.push(error)))
      .then(() => finished.add(core)),
  );
  const expected = victim === VICTIM ? [...SURVIVORS] : [...SURVIVORS, VICTIM];
  const done = (): boolean => failures.length > 0 || expected.every((core) => finished.has(core));
  await members.until('the moment of death', () => done() || members.handled >= killAt);
  let replaced: Promise<void> | undefined;
  if (!done()) {
    const { simulation } = members;
    if (kind === 'dies') simulation.crash(victim);
    else simulation.hang(victim);
    if (kind === 'is silent') simulation.call(simulation.now + SILENCE, () => simulation.resume(victim));
    else if (victim === SKB_PEER) simulation.call(simulation.now + SECOND, () => simulation.startNode(SKB_PEER));
    if (victim !== SKB_PEER) {
      state.dead.add(victim);
      state.holders.delete(victim);
      replaced = story.replace?.(spare, state, stop.signal).catch(() => undefined);
    }
  }
  await members.until('the others are done', done);
  expect(failures).toEqual([]);
  const handled = members.handled;
  stop.abort(new Error(ENOUGH));
  await finish(members, replaced);
  if (kind === 'is silent') await members.until('who was silent is told', () => finished.has(victim));
  // Whatever was given up while its answer was under way is given back after that answer, and before the next but one.
  for (const member of kind === 'dies' && victim === VICTIM ? [spare] : [spare, struck])
    for (let answer = 0; answer < 2; answer++)
      await finish(
        members,
        member.get('anything').then(() => undefined),
      );
  const owners = (): number => members.simulation.node(SKB_PEER).skb?.knowledge.octopus.store.owners().length ?? 1;
  await members.until('what the dead held is free', () => owners() === 0);
  expect(failures).toEqual([]);
  await finish(members, story.check?.(spare, state));
  void working;
  return handled;
}

/** The dead end with their core; silenced ones are told by name. */
function mayFail(error: unknown): boolean {
  const { name, message } = error as Error;
  return name.endsWith('_LOST') || message === ENOUGH || /^PEER_GONE|died|core|UNREACHABLE/i.test(message);
}

async function finish(members: SimulatedMembers, work: Promise<void> | undefined): Promise<void> {
  if (work === undefined) return;
  let over = false;
  let failure: unknown;
  work.then(
    () => (over = true),
    (error: unknown) => {
      failure = error;
      over = true;
    },
  );
  await members.until('an answer', () => over);
  if (failure !== undefined) throw failure;
}

describe.each(Object.entries(STORIES))('%s', (_name, story) => {
  test.each([
    ['a member', 'dies', VICTIM],
    ['a member', 'is silent', VICTIM],
    ['the SKB', 'dies', SKB_PEER],
  ] as const)('%s %s at any event: the others go on', async (_who, kind, victim) => {
    for (let seed = 7; seed < 7 + SEEDS; seed++) {
      const events = await play(story, { victim, kind }, Infinity, seed);
      expect(events).toBeGreaterThan(10);
      for (let killAt = 1; killAt <= events; killAt++) {
        try {
          await play(story, { victim, kind }, killAt, seed);
        } catch (error) {
          const text = (error as Error).message;
          throw new Error(`seed ${seed}, after event ${killAt} of ${events}: ${text}`, { cause: error });
        }
      }
    }
  });
});
