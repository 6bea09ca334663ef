/**
 * A reusable double barrier. Source: Barrelfish `lib/octopus` barriers, and ZooKeeper's recipe; unlike these, it does
 * not depend on any particular member.
 *
 * Every participant sets a sequential record on entering. The one that sees that enough have come opens the round by a
 * record that says up to which number it goes; later ones wait for the next round. Each deletes its own record on
 * leaving; the round is over when none up to its number is left, and the first to see that deletes the round's record.
 * The first in the queue watches for arrivals; each other one watches the one before it, and takes its place when it
 * dies. Records of members are transient.
 *
 *   BR1  nobody passes before as many as the barrier wants have come in; nobody is through before all of the round have
 *       left or died;
 *   BR2  a member that dies, at any time, stops nobody else.
 */
import { known } from '@mk/monitor-proto/assert';
import { recipeName, sequenceOf } from '@mk/monitor-proto/octopus/names';
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import type { CancelSignal } from '../runtime/cancellation.ts';
import { inVain, unlessAborted } from './giving-up.ts';
import { HeldRecord, type Losable } from './held-record.ts';
import { type ArmedQuery, type Octopus, OctopusError, quotedName } from './octopus.ts';

/** A barrier that everybody has entered. */
export interface EnteredBarrier extends Losable {
  /** Waits until everybody has left; rejects with BARRIER_LOST if our own entry was lost before. */
  leave(signal?: CancelSignal): Promise<void>;
}

/** The entries up to that number form one round. */
interface Round {
  readonly last: number;
}

/** Waits until `count` participants have entered. An abort withdraws our entry and rejects. */
export async function enterBarrier(
  octopus: Octopus,
  name: string,
  count: number,
  signal?: CancelSignal,
): Promise<EnteredBarrier> {
  signal?.throwIfAborted();
  if (!Number.isSafeInteger(count) || count < 1)
    throw new OctopusError('BAD_REQUEST', `a barrier is for 1 or more participants, not ${count}`);
  const barrier = new Barrier(octopus, name);
  const placed = octopus.set(quotedName(barrier.entry), { sequential: true, transient: true, recipe: 'barrier' });
  const { name: own } = await unlessAborted(placed, signal, (late) =>
    octopus.delete(quotedName(late.name), { recipe: 'barrier', own: true }),
  );
  const what = `the entry in the barrier ${JSON.stringify(name)}`;
  const held = new HeldRecord(octopus, own, { recipe: 'barrier', error: 'BARRIER_LOST', what });
  const opened = barrier.whenOpen(own, count, signal);
  opened.catch(() => undefined); // it may fail after the entry was lost
  const open = Promise.race([Promise.all([held.watched, opened]), held.lost]).finally(() => held.check());
  const [, round] = await held.orAbandon(unlessAborted(open, signal, () => undefined));
  const leave = (leaving?: CancelSignal): Promise<void> => {
    const over = held.release().then(() => barrier.whenOver(round, leaving));
    return unlessAborted(over, leaving, () => undefined);
  };
  return { lost: held.lost, signal: held.signal, leave };
}

class Barrier {
  readonly entry: string;
  private readonly open: string;

  constructor(
    private readonly octopus: Octopus,
    name: string,
  ) {
    this.entry = recipeName('barrier', `${name}:entry`);
    this.open = recipeName('barrier', `${name}:open`);
  }

  /** The round of our entry. */
  async whenOpen(own: string, count: number, signal: CancelSignal | undefined): Promise<Round> {
    const number = known(sequenceOf(own)).number;
    for (;;) {
      signal?.throwIfAborted();
      const round = await this.arm({ type: 'get', query: quotedName(this.open) }, 'NO_RECORD', TRIGGER.ON_SET);
      const before = roundOf(round);
      if (before !== undefined && before.last >= number) return before;
      if (before !== undefined) {
        await this.whenOver(before, signal);
        continue;
      }
      await this.openOrWait(own, count, round, signal);
    }
  }

  /** Waits until none of the round's entries is left, nor its record. */
  async whenOver(round: Round, signal: CancelSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const first = await this.arm({ type: 'get', ...this.entries }, 'OK', TRIGGER.ON_DEL);
      const name = first.reply.ok ? nameOf(first.reply.record) : undefined;
      if (name === undefined || known(sequenceOf(name)).number > round.last) {
        await first.cancel();
        return this.close(round);
      }
      await oneOf([first], signal);
    }
  }

  private async openOrWait(own: string, count: number, round: ArmedQuery, signal?: CancelSignal): Promise<void> {
    const armed = [round];
    const { names, next } = await this.whoIsHere(own, armed).catch((error: unknown) => {
      for (const each of armed) inVain(each.cancel());
      throw error;
    });
    if (names.length < count) return oneOf([round, next], signal, armed);
    await Promise.all(armed.map((each) => each.cancel()));
    const last = known(sequenceOf(known(names.at(-1)))).number;
    try {
      await this.octopus.set(`${quotedName(this.open)} { last: ${last} }`, { exclusive: true, recipe: 'barrier' });
    } catch (error) {
      // Two may notice at once that enough have come.
      if (!(error instanceof OctopusError) || error.name !== 'RECORD_EXISTS') throw error;
    }
  }

  /**
   * The entries, and the queries that could add to them; `armed` gets the waits for the entry before ours and for
   * others to come.
   */
  private async whoIsHere(
    own: string,
    armed: ArmedQuery[],
  ): Promise<{ readonly names: readonly string[]; readonly next: ArmedQuery }> {
    const before = await this.arm({ type: 'predecessor', name: own }, 'OK', TRIGGER.ON_DEL);
    if (!before.reply.ok) throw new OctopusError('BARRIER_LOST', 'our entry is gone');
    armed.push(before);
    const isFirst = before.reply.record === undefined;
    const entered = await this.arm(
      { type: 'get_names', ...this.entries },
      isFirst ? 'OK' : 'NO_RECORD',
      TRIGGER.ON_SET,
    );
    armed.push(entered);
    return { names: entered.reply.ok ? (entered.reply.names ?? []) : [], next: isFirst ? entered : before };
  }

  private async close({ last }: Round): Promise<void> {
    try {
      await this.octopus.delete(`${quotedName(this.open)} { last: == ${last} }`, { recipe: 'barrier' });
    } catch (error) {
      // Somebody else was first, and the barrier is open for the next round.
      if (!(error instanceof OctopusError) || error.name !== 'CONSTRAINT_MISMATCH') throw error;
    }
  }

  private get entries(): { readonly query: string; readonly sequence: true } {
    return { query: quotedName(this.entry), sequence: true };
  }

  private async arm(...[query, inCase, mode]: Parameters<Octopus['arm']>): Promise<ArmedQuery> {
    const armed = await this.octopus.arm(query, inCase, mode);
    const { reply } = armed;
    if (!reply.ok && reply.error !== 'NO_RECORD') throw new OctopusError(reply.error, reply.detail);
    return armed;
  }
}

/** Waits for one of them, then cancels all. */
async function oneOf(
  waiting: readonly ArmedQuery[],
  signal: CancelSignal | undefined,
  all: readonly ArmedQuery[] = waiting,
): Promise<void> {
  const woken = Promise.race(waiting.map((armed) => armed.woken));
  try {
    await unlessAborted(woken, signal, () => undefined);
  } finally {
    const cancelled = Promise.all(all.map((armed) => armed.cancel()));
    if (signal?.aborted === true) inVain(cancelled);
    else await cancelled;
  }
  signal?.throwIfAborted();
}

function roundOf({ reply }: ArmedQuery): Round | undefined {
  const text = reply.ok ? reply.record : undefined;
  const last = text === undefined ? undefined : /last: (\d+)/.exec(text)?.[1];
  return last === undefined ? undefined : { last: Number(last) };
}

function nameOf(text: string | undefined): string | undefined {
  const quoted = text === undefined ? null : /^'((?:[^'\\]|\\[^])*)'/.exec(text);
  return quoted?.[1]?.replace(/\\([^])/g, '$1');
}
