/**
 * Litmus tests on shared frames: `litmus IRIW --runs 1000`. Each thread of a test runs on a core of its own; with more
 * cores than threads they move on by one after each batch of runs, so that every core takes part. Outcomes are counted;
 * those that sequential consistency does not allow are named, the first with a space-time picture.
 * `--pages one` puts all words on one page, `two` (the default) on a page each, `homes` on pages that different cores
 * brought; `--kind private` uses copies that are not kept coherent, whose weaker outcomes are expected. Runs that lose
 * a core or link count as lost; a core that is back takes part again. `--progress` reports progress on stderr. Exit
 * status 1: a forbidden outcome on coherent memory.
 */
import { known } from './common/known.ts';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { ArgumentError, coresOf, given, oneOf, onlyOptions, tell, tool, whole } from './common/arguments.ts';
import {
  allowedOutcomes,
  LITMUS_KINDS,
  LITMUS_NAMES,
  LITMUS_PAGES,
  type LitmusTest,
  litmusTest,
} from './common/litmus-tests.ts';
import { batch, RUNS_A_PAGE, type Setup } from './litmus/batch.ts';
import { share, told } from './litmus/share.ts';
import { type Witness, witness, witnessLines } from './litmus/witness.ts';

/** After a batch that a fault affected, the next is this small, so that fewer runs are lost while faults go on. */
const SMALL_BATCH = 32;
/** With `--progress`, the longest time between two reports. */
const TELL_EVERY_NS = 5_000_000_000;

export const main = tool({ name: 'litmus', threads: { share, told, clock: (mk) => mk.now() } }, async (mk) => {
  const names = mk.args[0]?.startsWith('--') === false ? [mk.args[0]] : LITMUS_NAMES;
  onlyOptions(mk, ['runs', 'kind', 'pages', 'json', 'progress']);
  const runs = whole(mk, 'runs', 1000, 1, 10_000_000);
  const kind = oneOf(mk, 'kind', LITMUS_KINDS);
  const pages = oneOf(mk, 'pages', LITMUS_PAGES);
  const tests = names.map((name) => {
    const test = litmusTest(name);
    if (test === null) throw new ArgumentError(`there is no test ${name}; there are ${LITMUS_NAMES.join(', ')}`);
    return test;
  });
  let forbidden = 0;
  for (const test of tests) forbidden += report(mk, test, await new Count(mk, test, { pages, kind }).run(runs), kind);
  return forbidden > 0 && kind === 'coherent' ? 1 : 0;
});

/** The results of a test's runs. */
interface Counted {
  /** How often each outcome occurred. Runs that a fault affected are `lost: ERROR`. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly allowed: ReadonlySet<string>;
  /** The first run with an outcome that is not allowed. */
  readonly first: Witness | null;
}

class Count implements Counted {
  readonly outcomes = new Map<string, number>();
  readonly allowed: ReadonlySet<string>;
  first: Witness | null = null;
  private done = 0;
  private lost = 0;
  private batches = 0;
  private toldAt: number;

  constructor(
    private readonly mk: Mk,
    private readonly test: LitmusTest,
    private readonly setup: Setup,
  ) {
    this.allowed = allowedOutcomes(test);
    this.toldAt = mk.now();
  }

  async run(runs: number): Promise<Counted> {
    for (let size = RUNS_A_PAGE; this.done < runs; size = Math.min(2 * size, RUNS_A_PAGE)) {
      const count = Math.min(size, runs - this.done);
      try {
        const cores = this.movedOn(await spanned(this.mk));
        const came = await batch(this.mk, this.test, count, { ...this.setup, cores });
        for (const outcome of came) this.note(outcome, 1);
        await this.look(came, cores);
      } catch (error) {
        if (!isMkError(error) || error.name === 'ASSERTION_FAILED') throw error;
        this.note(`lost: ${error.name}`, count);
        this.lost += count;
        size = SMALL_BATCH / 2;
      }
      this.done += count;
      this.tellProgress(runs);
    }
    return this;
  }

  private movedOn(cores: readonly number[]): readonly number[] {
    const by = cores.length > this.test.threads.length ? this.batches % cores.length : 0;
    this.batches += 1;
    return [...cores.slice(by), ...cores.slice(0, by)];
  }

  private tellProgress(runs: number): void {
    const now = this.mk.now();
    if (!given(this.mk, 'progress') || now < this.toldAt + TELL_EVERY_NS || this.done === runs) return;
    this.toldAt = now;
    this.mk.console.error(`${this.test.name}: ${this.done} of ${runs} runs, ${this.lost} of them lost to faults`);
  }

  private async look(came: readonly string[], cores: readonly number[]): Promise<void> {
    const inBatch = came.findIndex((outcome) => !this.allowed.has(outcome));
    if (inBatch < 0 || this.first !== null) return;
    const found = { outcome: known(came[inBatch]), run: this.done + inBatch + 1, inBatch };
    this.first = await witness(this.mk, this.test, cores, found).catch(() => null); // its core is gone by now
  }

  private note(outcome: string, count: number): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + count);
  }
}

/** The run's cores on which the domain has a dispatcher; one that is back after a crash gets one again. */
async function spanned(mk: Mk): Promise<readonly number[]> {
  const there = await Promise.all(
    coresOf(mk).map(async (core) => {
      if (core === mk.self.core) return true;
      try {
        await mk.span(core);
        return true;
      } catch (error) {
        return isMkError(error, 'ALREADY_SPANNED');
      }
    }),
  );
  return coresOf(mk).filter((_, i) => there[i]);
}

function report(mk: Mk, test: LitmusTest, { outcomes, allowed, first }: Counted, kind: Setup['kind']): number {
  const rows = [...outcomes].sort(([a], [b]) => (a < b ? -1 : 1));
  const isForbidden = (outcome: string): boolean => !outcome.startsWith('lost: ') && !allowed.has(outcome);
  const forbidden = rows.filter(([outcome]) => isForbidden(outcome));
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  const head = `${test.name} (${kind}): ${total} ${total === 1 ? 'run' : 'runs'}, ${rows.length} ${rows.length === 1 ? 'outcome' : 'outcomes'}, ${allowed.size} allowed, ${forbidden.length} forbidden`;
  const lines = rows.map(
    ([outcome, count]) => `  ${String(count).padStart(8)}  ${outcome}${isForbidden(outcome) ? '  FORBIDDEN' : ''}`,
  );
  const picture = first === null ? [] : witnessLines(test, first);
  const value = {
    test: test.name,
    kind,
    runs: total,
    outcomes: Object.fromEntries(rows),
    forbidden: Object.fromEntries(forbidden),
    first,
  };
  tell(mk, [head, ...lines, ...picture], value);
  if (kind === 'coherent' && forbidden.length > 0)
    mk.assert(false, `${test.name}: forbidden ${forbidden.map(([outcome]) => outcome).join('; ')}`);
  return forbidden.length;
}
