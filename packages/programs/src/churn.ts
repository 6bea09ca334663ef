/**
 * Random capability work on all cores, checked by an oracle: each worker knows what it holds and what it made from
 * what, and keeps asking the kernel. `--operations N` for each core, or `--seconds N`. Errors of peers that are gone
 * are part of it: a round that meets one is given up and counted, a worker that is lost is named, and the status is 3.
 */
import { known } from './common/known.ts';
import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { giveAwayCap, u32 } from '@mk/libmk/interface/kinds';
import type { Client } from '@mk/libmk/channels/client';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import type { Mk } from '@mk/libmk/program/mk';
import type { CancelSignal } from '@mk/libmk/runtime/cancellation';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, tell, whole, tool } from './common/arguments.ts';
import { Copies } from './common/copies.ts';
import { insist } from './common/insisting.ts';
import { isByFault, tellLosses, unlessLost } from './common/losses.ts';
import { endWithParent } from './common/parent.ts';

const PAGE = 4096;
const ROOT_BYTES = 64 * PAGE;
/** A keeper that is not there by then begins late: another round may find it. */
const BIND_NS = 30e9;

/** Receives frames: examines each, and keeps it until asked about it. */
export const Keeper = defineInterface('keeper', {
  keep: rpc({ in: { frame: giveAwayCap, bytes: u32 }, out: { ticket: u32 } }),
  /** Whether it is still there; if so, it is deleted. */
  there: rpc({ in: { ticket: u32 }, out: { held: u32 } }),
});

export const main = tool({ name: 'churn', interfaces: [Keeper] }, async (mk) => {
  if (mk.args[0] === 'worker') return worker(mk);
  const cores = coresOf(mk);
  const seconds = whole(mk, 'seconds', 0, 1, 86_400);
  const operations = whole(mk, 'operations', seconds > 0 ? 1e9 : 60, 1, 1e9);
  const home = mk.self.domain;
  const workers = await Copies.begin(mk, 'worker', cores, String(operations), String(cores.length), String(seconds));
  for (const [index, core] of cores.entries())
    mk.threads.spawn(`in the place of ${core}`, () => standIn(mk, home, index, workers.gone(core))).detach();
  await workers.end();
  const done = await Promise.all(
    cores.map((_, index) => insist(mk, () => mk.octopus.get(`'${doneName(home, index)}'`))),
  );
  const sum = (of: string): number => done.reduce((all, row) => all + Number(row?.attributes[of] ?? 0), 0);
  const [rounds, abandoned] = [sum('rounds'), sum('abandoned')];
  for (const index of cores.keys()) await insist(mk, () => mk.octopus.delete(`'${doneName(home, index)}'`));
  const { losses } = workers;
  tellLosses(mk, losses);
  const given = abandoned === 0 ? '' : `, ${abandoned} given up for faults`;
  const text = `${cores.length - losses.length} workers did ${rounds} rounds of capability work${given}: the oracle agreed with every answer`;
  tell(mk, [text], { workers: cores.length, rounds, abandoned, lost: losses, wrong: [] });
  return losses.length + abandoned === 0 ? EXIT_STATUS.done : EXIT_STATUS.lost;
});

/** A worker that is lost is done: the others wait for it. */
async function standIn(mk: Mk, home: string, index: number, gone: CancelSignal): Promise<void> {
  const lost = mk.threads.semaphore(0, 'its end');
  gone.addEventListener('abort', () => lost.post());
  if (!gone.aborted) await lost.wait();
  await insist(mk, () => mk.octopus.set(`'${doneName(home, index)}' { rounds: 0, abandoned: 0, lost: 1 }`));
}

async function worker(mk: Mk): Promise<number> {
  const [, home = '', index = '0', operations = '1', count = '1', seconds = '0'] = mk.args;
  endWithParent(mk, home);
  const until = seconds === '0' ? Infinity : mk.now() + Number(seconds) * 1e9;
  let rounds = 0;
  const kept = new Map<number, { readonly frame: number; readonly base: number }>();
  let tickets = 0;
  let abandoned = 0;
  const keeper = {
    async keep({ frame, bytes }: { readonly frame: number; readonly bytes: number }) {
      const found = await mk.capabilities.identify(frame);
      mk.assert(
        found.type === 'Frame' && found.bytes === bytes,
        `a frame of ${bytes} bytes came as ${found.type} of ${found.bytes}`,
      );
      kept.set((tickets += 1), { frame, base: found.address });
      return { ticket: tickets };
    },
    async there({ ticket }: { readonly ticket: number }) {
      const { frame, base } = known(kept.get(ticket));
      kept.delete(ticket);
      // A slot freed by a revoke may hold something that somebody else has given since.
      if (!(await holds(mk, frame, base))) return { held: 0 };
      await mk.capabilities.delete(frame);
      return { held: 1 };
    },
  };
  const service = await insist(mk, () => mk.export(`keeper.${home}.${index}`, Keeper, keeper));
  const peers = new Map<number, Client<typeof Keeper.methods>>();
  let candidates = Array.from({ length: Number(count) }, (_, peer) => peer);
  while (rounds + abandoned < Number(operations) && mk.now() < until) {
    const peer = known(candidates[mk.randomInt(candidates.length)]);
    try {
      const client = peers.get(peer) ?? (await keeperOf(mk, home, peer));
      peers.set(peer, client);
      await family(mk, client);
      rounds += 1;
    } catch (error) {
      if (error instanceof WorkerLost) candidates = candidates.filter((other) => other !== peer);
      else if (!isByFault(error) && !isMkError(error, 'DEADLINE_EXCEEDED')) throw error;
      abandoned += 1;
      peers.get(peer)?.$close();
      peers.delete(peer);
    }
  }
  // Others may still give: a worker that is done waits until all are.
  await insist(mk, () =>
    mk.octopus.set(`'${doneName(home, Number(index))}' { rounds: ${rounds}, abandoned: ${abandoned} }`),
  );
  for (let peer = 0; peer < Number(count); peer += 1)
    await insist(mk, () => mk.octopus.waitFor(`'${doneName(home, peer)}'`));
  for (const peer of peers.values()) peer.$close();
  await service.close();
  return 0;
}

/** A worker's keeper. Throws WorkerLost as soon as that worker's record says so: nobody will export it any more. */
async function keeperOf(mk: Mk, home: string, peer: number): Promise<Client<typeof Keeper.methods>> {
  const lost = mk.cancellation();
  const bound = mk.cancellation();
  const watch = async (): Promise<void> => {
    const { attributes } = await mk.octopus.waitFor(`'${doneName(home, peer)}'`, bound.signal);
    if (attributes['lost'] === 1) lost.cancel(new WorkerLost(`worker ${peer} is lost`));
  };
  watch().catch(() => undefined); // bind has a limit of its own
  try {
    return await mk.bind(`keeper.${home}.${peer}`, Keeper, { timeoutNs: BIND_NS, signal: lost.signal });
  } finally {
    bound.cancel();
  }
}

class WorkerLost extends Error {}

function doneName(home: string, index: number): string {
  return `churn.done.${home}.${index}`;
}

/** RAM and what is made from it; after a fault it goes back, as far as that can be done. */
async function family(mk: Mk, peer: Client<typeof Keeper.methods>): Promise<void> {
  const root = await mk.capabilities.alloc(ROOT_BYTES);
  const made: number[] = [];
  try {
    await descendants(mk, root, made, peer);
    for (const address of made) mk.assert(!(await holds(mk, address)), 'a revoke leaves nothing of what was made');
    await mk.capabilities.delete(root);
  } catch (error) {
    if (isByFault(error)) await unlessLost(giveBack(mk, root, made));
    throw error;
  }
}

async function giveBack(mk: Mk, root: number, made: readonly number[]): Promise<void> {
  await mk.capabilities.revoke(root);
  for (const address of made) await holds(mk, address); // finds nothing, so that its slot is used again
  await mk.capabilities.delete(root);
}

/** The oracle's statements must hold until the root is revoked; adds what it makes and does not give away. */
async function descendants(mk: Mk, root: number, made: number[], peer: Client<typeof Keeper.methods>): Promise<void> {
  const { capabilities } = mk;
  const size = PAGE << mk.randomInt(3);
  const frames = await capabilities.retype(root, 'Frame', { bytes: size, count: 3 + mk.randomInt(3) });
  made.push(...frames.slice(0, -1));
  await agree(mk, root, 'RAM', ROOT_BYTES);
  const copy =
    mk.randomInt(2) === 0
      ? await capabilities.copy(known(frames[0]))
      : await capabilities.mint(known(frames[0]), 1 | 16);
  made.push(copy);
  await agree(mk, copy, 'Frame', size);
  const { ticket } = await peer.keep({ frame: known(frames.at(-1)), bytes: size });
  mk.assert(!(await holds(mk, known(frames.at(-1)))), 'what was given away is held no longer');
  const deleted = mk.randomInt(2) === 0;
  if (deleted) await capabilities.delete(known(frames[1]));
  mk.assert((await holds(mk, known(frames[1]))) !== deleted, 'what was deleted, and that alone, is gone');
  const revoked = mk.randomInt(3) > 0;
  if (revoked) await capabilities.revoke(root);
  mk.assert((await holds(mk, copy)) !== revoked, 'a revoke takes every descendant, and nothing else does');
  mk.assert((await peer.there({ ticket })).held === (revoked ? 0 : 1), 'on other cores, too');
  if (!revoked) await capabilities.revoke(root);
  await agree(mk, root, 'RAM', ROOT_BYTES);
}

async function agree(mk: Mk, address: number, type: string, bytes: number): Promise<void> {
  const found = await mk.capabilities.identify(address);
  mk.assert(
    found.type === type && found.bytes === bytes,
    `${type} of ${bytes} bytes is ${found.type} of ${found.bytes}`,
  );
}

async function holds(mk: Mk, address: number, base?: number): Promise<boolean> {
  try {
    const found = await mk.capabilities.identify(address);
    return base === undefined || found.address === base;
  } catch (error) {
    if (isMkError(error, 'CAPABILITY_NOT_FOUND')) return false;
    throw error;
  }
}
