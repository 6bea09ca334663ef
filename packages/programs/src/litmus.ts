/**
 * Litmus tests on shared frames: `litmus IRIW --runs 1000`. Each thread of a test runs on a core of its own; outcomes are counted,
 * and those that sequential consistency does not allow are named. `--pages one` puts all words on one page, `two` (the usual) on a page
 * each, `homes` on pages that different cores brought; `--kind private` takes copies that are not kept coherent, whose weaker
 * outcomes are expected. Exit status 1: a forbidden outcome on coherent memory.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { MemoryKind } from '@mk/libmk/memory/address-space';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, tell, whole } from './common/arguments.ts';
import { allowedOutcomes, LITMUS_NAMES, type LitmusTest, litmusTest, outcomeOf } from './common/litmus-tests.ts';

/** Words of a run lie beside those of the other runs: so many runs share a frame. */
const RUNS_A_FRAME = PAGE_BYTES / 8;

/** What all runs of one command have in common. */
interface Setup {
  readonly cores: readonly number[];
  readonly pages: 'one' | 'two' | 'homes';
  readonly kind: MemoryKind;
}

interface Share {
  readonly test: string;
  readonly thread: number;
  /** Address of each word of run 0, in the order of the test's words. */
  readonly addresses: readonly number[];
  /** Address of a word that counts who has come. */
  readonly barrier: number;
  readonly stride: number;
  readonly runs: number;
  readonly kind: MemoryKind;
}

export const main = program({ name: 'litmus', threads: { share } }, async (mk) => {
  const names = mk.args[0]?.startsWith('--') === false ? [mk.args[0]] : LITMUS_NAMES;
  const runs = whole(mk, 'runs', 1000, 1, 10_000_000);
  const kind = option(mk, 'kind', ['coherent', 'private'] as const);
  const pages = option(mk, 'pages', ['two', 'one', 'homes'] as const);
  const cores = coresOf(mk);
  await Promise.all(cores.filter((core) => core !== mk.self.core).map((core) => mk.span(core)));
  let forbidden = 0;
  for (const name of names) {
    const test = litmusTest(name);
    if (test === null) throw mk.error('BAD_REQUEST', `there is no test ${name}; there are ${LITMUS_NAMES.join(', ')}`);
    forbidden += await report(mk, test, await counted(mk, test, runs, { cores, pages, kind }), kind);
  }
  return forbidden > 0 && kind === 'coherent' ? 1 : 0;
});

/** Runs a test so often; how often each outcome came. A run that a fault took part of is `lost`. */
async function counted(mk: Mk, test: LitmusTest, runs: number, setup: Setup): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let done = 0; done < runs;) {
    const count = Math.min(RUNS_A_FRAME, runs - done);
    done += count;
    try {
      for (const outcome of await batch(mk, test, count, setup)) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    } catch (error) {
      if (!isMkError(error) || error.name === 'ASSERTION_FAILED') throw error;
      counts.set(`lost: ${error.name}`, (counts.get(`lost: ${error.name}`) ?? 0) + count);
    }
  }
  return counts;
}

async function batch(
  mk: Mk,
  test: LitmusTest,
  runs: number,
  { cores, pages, kind }: Setup,
): Promise<readonly string[]> {
  const { memory } = mk;
  const frames: number[] = [];
  const addresses: number[] = [];
  const regions = [];
  // On one page the words of a run lie side by side, on pages of their own at the same place.
  const stride = pages === 'one' ? 8 * test.words.length : 8;
  for (const [i] of test.words.entries()) {
    if (pages === 'one' && i > 0) {
      addresses.push(addresses[0]! + 8 * i);
      continue;
    }
    const near = pages === 'homes' ? { near: cores[i % cores.length]! } : {};
    const frame = await memory.allocFrame(Math.ceil((runs * stride) / PAGE_BYTES) * PAGE_BYTES, near);
    frames.push(frame);
    const region = await memory.map(frame);
    regions.push(region);
    addresses.push(region.address);
  }
  const frame = await memory.allocFrame(PAGE_BYTES);
  frames.push(frame);
  const meeting = await memory.map(frame);
  regions.push(meeting);
  const shares = test.threads.map((_, thread) =>
    mk.spawnOn(cores[thread % cores.length]!, 'share', {
      test: test.name,
      thread,
      addresses,
      barrier: meeting.address,
      stride,
      runs,
      kind,
    }),
  );
  const came = (await Promise.all(shares.map((thread) => thread.join()))) as (readonly (readonly number[])[])[];
  const outcomes: string[] = [];
  for (let run = 0; run < runs; run += 1) {
    const left: Record<string, number> = {};
    for (const [i, word] of test.words.entries()) left[word] = await memory.load32(addresses[i]! + run * stride);
    outcomes.push(
      outcomeOf(
        test,
        came.map((registers) => registers[run]!),
        left,
      ),
    );
  }
  for (const region of regions) await memory.unmap(region);
  for (const frame of frames) await mk.capabilities.delete(frame);
  return outcomes;
}

/** One thread of the test, all runs of a batch: its registers, a list a run. */
async function share(
  mk: Mk,
  { test: name, thread, addresses, barrier, stride, runs, kind }: Share,
): Promise<number[][]> {
  const test = litmusTest(name)!;
  const accesses = test.threads[thread]!;
  const { memory } = mk;
  const bytes = Math.ceil((runs * stride) / PAGE_BYTES) * PAGE_BYTES;
  for (const address of addresses) if (address % PAGE_BYTES === 0) memory.setKind({ address, bytes }, kind);
  const all: number[][] = [];
  await together(mk, barrier, test.threads.length);
  for (let run = 0; run < runs; run += 1) {
    const registers: number[] = [];
    for (const { kind: access, word, value } of accesses) {
      if (mk.randomInt(2) === 0) await pass(mk);
      const address = addresses[test.words.indexOf(word)]! + run * stride;
      if (access === 'F') registers.push(Number(await memory.fetchAdd(address, BigInt(value))));
      else if (access === 'R') {
        // A private copy is as old as whoever holds it likes: sometimes it is taken anew.
        if (kind === 'private' && mk.randomInt(2) === 0) memory.refresh({ address, bytes: 8 });
        registers.push(await memory.load32(address));
      } else {
        await memory.store32(address, value);
        if (kind === 'private') await memory.publish({ address, bytes: 8 });
      }
    }
    all.push(registers);
    await pass(mk);
  }
  return all;
}

/** Some time passes: other cores have theirs. */
async function pass(mk: Mk): Promise<void> {
  mk.work(mk.randomInt(4000));
  await mk.yield();
}

/** Waits until so many threads have come: they begin at about the same time. */
async function together(mk: Mk, barrier: number, threads: number): Promise<void> {
  await mk.memory.fetchAdd(barrier, 1n);
  while (Number(await mk.memory.load64(barrier)) % threads !== 0) await pass(mk);
}

async function report(mk: Mk, test: LitmusTest, counts: Map<string, number>, kind: MemoryKind): Promise<number> {
  const allowed = allowedOutcomes(test);
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const isForbidden = (outcome: string): boolean => !outcome.startsWith('lost: ') && !allowed.has(outcome);
  const forbidden = rows.filter(([outcome]) => isForbidden(outcome));
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  const head = `${test.name} (${kind}): ${total} runs, ${rows.length} outcomes, ${allowed.size} allowed, ${forbidden.length} forbidden`;
  const lines = rows.map(
    ([outcome, count]) => `  ${String(count).padStart(8)}  ${outcome}${isForbidden(outcome) ? '  FORBIDDEN' : ''}`,
  );
  const outcomes = Object.fromEntries(rows);
  const value = { test: test.name, kind, runs: total, outcomes, forbidden: Object.fromEntries(forbidden) };
  tell(mk, [head, ...lines], value);
  if (kind === 'coherent' && forbidden.length > 0)
    mk.assert(false, `${test.name}: forbidden ${forbidden.map(([outcome]) => outcome).join('; ')}`);
  return forbidden.length;
}

function option<T extends string>(mk: Mk, name: string, choices: readonly [T, ...T[]]): T {
  const at = mk.args.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  if (at < 0) return choices[0];
  const word = mk.args[at]!.includes('=') ? mk.args[at]!.split('=')[1] : mk.args[at + 1];
  const found = choices.find((choice) => choice === word);
  if (found !== undefined) return found;
  throw mk.error('BAD_REQUEST', `--${name} is one of ${choices.join(', ')}, not ${String(word)}`);
}
