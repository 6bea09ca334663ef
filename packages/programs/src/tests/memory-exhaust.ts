/**
 * RAM to the last piece: one core allocates until no core has any and the refusal says what is free; all of it comes
 * back. Then every core allocates and frees at once, `--rounds` times. The first argument lists the cores, `--piece` is
 * an allocation's bytes.
 */
import { known } from '../common/known.ts';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import type { Mk } from '@mk/libmk/program/mk';
import type { Process } from '@mk/libmk/processes/processes';
import { whole, tool } from '../common/arguments.ts';
import { coresOf } from './expecting.ts';

const PAGE_BYTES = 4096;

export const main = tool({ name: 'memory-exhaust' }, async (mk) => {
  if (mk.args[0] === 'churn') return churn(mk, Number(mk.args[1]));
  const piece = whole(mk, 'piece', 4 << 20, PAGE_BYTES, 1 << 30);
  const cores = coresOf(mk);
  const first = await takeAll(mk, piece);
  mk.assert(first.count > 0, 'some memory');
  mk.assert(
    /^no core has \d+ bytes free in one piece; of \d+ free bytes the largest pieces are/.test(first.text),
    first.text,
  );
  const rounds = String(whole(mk, 'rounds', 100, 1, 100_000));
  const copies = await Promise.all(cores.map((core) => beginOn(mk, core, ['churn', rounds])));
  for (const copy of copies) mk.assert((await copy.wait()).status === 0, `${copy.domain} ended badly`);
  // Freed memory returns home in rounds of its own, so it may take a moment to arrive.
  let second = await takeAll(mk, piece);
  for (let tries = 0; second.count < first.count && tries < 600; tries += 1) {
    await mk.sleep(50e6);
    second = await takeAll(mk, piece);
  }
  mk.assert(second.count >= first.count, `${second.count} pieces where ${first.count} fitted before`);
});

/** A domain's first memory is its core's own, which may still be on its way home. */
async function beginOn(mk: Mk, core: number, args: readonly string[]): Promise<Process> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await mk.processes.spawn(null, { core, args });
    } catch (error) {
      if (!isMkError(error, 'OUT_OF_MEMORY') || tries > 600) throw error;
    }
    await mk.sleep(20e6);
  }
}

/** How many pieces the whole machine has, and the refusal's text; all are given back. */
async function takeAll(mk: Mk, piece: number): Promise<{ readonly count: number; readonly text: string }> {
  const held: number[] = [];
  let text = '';
  while (text === '') {
    try {
      held.push(await mk.capabilities.alloc(piece));
    } catch (error) {
      if (!isMkError(error, 'OUT_OF_MEMORY')) throw error;
      text = error.text;
    }
  }
  for (const address of held) await mk.capabilities.delete(address);
  return { count: held.length, text };
}

/** Allocates and frees pieces of many sizes; a temporarily full machine is not an error. */
async function churn(mk: Mk, rounds: number): Promise<void> {
  const held: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    if (held.length > 0 && mk.randomInt(3) === 0)
      await mk.capabilities.delete(known(held.splice(mk.randomInt(held.length), 1)[0]));
    else
      try {
        held.push(await mk.capabilities.alloc((1 + mk.randomInt(64)) * PAGE_BYTES));
      } catch (error) {
        if (!isMkError(error, 'OUT_OF_MEMORY')) throw error;
      }
  }
  for (const address of held) await mk.capabilities.delete(address);
}
