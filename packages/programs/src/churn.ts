/**
 * Random capability work on all cores, checked by an oracle: each worker knows what it holds and what it made from
 * what, and keeps asking the kernel. `--operations N` for each core, or `--seconds N`. Errors of peers that are gone
 * are expected.
 */
import { known } from './common/known.ts';
import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { giveAwayCap, u32 } from '@mk/libmk/interface/kinds';
import type { Client } from '@mk/libmk/channels/client';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, tell, whole, tool } from './common/arguments.ts';
import { copiesOf, endOf } from './common/copies.ts';

const PAGE = 4096;
const ROOT_BYTES = 64 * PAGE;

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
  const workers = await copiesOf(mk, 'worker', cores, String(operations), String(cores.length), String(seconds));
  await endOf(mk, workers);
  const done = await Promise.all(cores.map((_, index) => mk.octopus.get(`'${doneName(mk.self.domain, index)}'`)));
  const rounds = done.reduce((sum, row) => sum + Number(row?.attributes['rounds'] ?? 0), 0);
  for (const index of cores.keys()) await mk.octopus.delete(`'${doneName(mk.self.domain, index)}'`);
  const text = `${cores.length} workers did ${rounds} rounds of capability work: the oracle agreed with every answer`;
  tell(mk, [text], { workers: cores.length, rounds, wrong: [] });
  return 0;
});

async function worker(mk: Mk): Promise<number> {
  const [, home = '', index = '0', operations = '1', count = '1', seconds = '0'] = mk.args;
  const until = seconds === '0' ? Infinity : mk.now() + Number(seconds) * 1e9;
  let rounds = 0;
  const kept = new Map<number, { readonly frame: number; readonly base: number }>();
  let tickets = 0;
  const service = await mk.export(`keeper.${home}.${index}`, Keeper, {
    async keep({ frame, bytes }) {
      const found = await mk.capabilities.identify(frame);
      mk.assert(
        found.type === 'Frame' && found.bytes === bytes,
        `a frame of ${bytes} bytes came as ${found.type} of ${found.bytes}`,
      );
      kept.set((tickets += 1), { frame, base: found.address });
      return { ticket: tickets };
    },
    async there({ ticket }) {
      const { frame, base } = known(kept.get(ticket));
      kept.delete(ticket);
      // A slot freed by a revoke may hold something that somebody else has given since.
      if (!(await holds(mk, frame, base))) return { held: 0 };
      await mk.capabilities.delete(frame);
      return { held: 1 };
    },
  });
  const peers = new Map<number, Client<typeof Keeper.methods>>();
  for (; rounds < Number(operations) && mk.now() < until; rounds += 1) {
    const peer = mk.randomInt(Number(count));
    if (!peers.has(peer)) peers.set(peer, await mk.bind(`keeper.${home}.${peer}`, Keeper));
    await family(mk, known(peers.get(peer)));
  }
  // Others may still give: a worker that is done waits until all are.
  await mk.octopus.set(`'${doneName(home, Number(index))}' { rounds: ${rounds} }`);
  for (let peer = 0; peer < Number(count); peer += 1) await mk.octopus.waitFor(`'${doneName(home, peer)}'`);
  for (const peer of peers.values()) peer.$close();
  await service.close();
  return 0;
}

function doneName(home: string, index: number): string {
  return `churn.done.${home}.${index}`;
}

/**
 * RAM and everything made from it: the oracle's statements must hold, and nothing may be left when the root is revoked.
 */
async function family(mk: Mk, peer: Client<typeof Keeper.methods>): Promise<void> {
  const { capabilities } = mk;
  const root = await capabilities.alloc(ROOT_BYTES);
  const size = PAGE << mk.randomInt(3);
  const frames = await capabilities.retype(root, 'Frame', { bytes: size, count: 3 + mk.randomInt(3) });
  await agree(mk, root, 'RAM', ROOT_BYTES);
  const copy =
    mk.randomInt(2) === 0
      ? await capabilities.copy(known(frames[0]))
      : await capabilities.mint(known(frames[0]), 1 | 16);
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
  await capabilities.delete(root);
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
