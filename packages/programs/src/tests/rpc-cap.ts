/** Barrelfish's rpc_cap_test, local and across cores: capabilities in requests and answers, in order with the data. */
import { known } from '../common/known.ts';
import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { cap, giveAwayCap, u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { coresOf, errorOf, runCopies, same } from './expecting.ts';

export const Lender = defineInterface('lender', {
  lend: rpc({ in: { size: u32 }, out: { frame: cap, size: u32 } }),
  bounce: rpc({ in: { frame: giveAwayCap, turn: u32 }, out: { frame: giveAwayCap, turn: u32 } }),
  inspect: rpc({ in: { first: cap, second: cap }, out: { firstBytes: u32, secondBytes: u32 } }),
});

const TURNS = 20;

export const main = program({ name: 'rpc-cap', interfaces: [Lender] }, async (mk) => {
  if (mk.args[0] === 'client') return client(mk);
  const service = await mk.export('lender', Lender, {
    async lend({ size }) {
      const ram = await mk.capabilities.alloc(size);
      const [frame] = await mk.capabilities.retype(ram, 'Frame', { bytes: size });
      return { frame: known(frame), size };
    },
    async bounce({ frame, turn }) {
      same(mk, (await mk.capabilities.identify(frame)).type, 'Frame', `turn ${turn} came with`);
      return { frame, turn: turn + 1 };
    },
    async inspect({ first, second }) {
      const [a, b] = [await mk.capabilities.identify(first), await mk.capabilities.identify(second)];
      await mk.capabilities.delete(first);
      await mk.capabilities.delete(second);
      return { firstBytes: a.bytes, secondBytes: b.bytes };
    },
  });
  await runCopies(mk, 'client', coresOf(mk));
  await service.close();
  return 0;
});

async function client(mk: Mk): Promise<number> {
  const lender = await mk.bind('lender', Lender, { timeoutNs: 20e9 });
  const lent = await lender.lend({ size: 4096 });
  same(mk, (await mk.capabilities.identify(lent.frame)).bytes, 4096, 'what was lent');
  const own = await mk.capabilities.alloc(16_384);
  let ball = known((await mk.capabilities.retype(own, 'Frame', { bytes: 8192 }))[0]);
  for (let turn = 0; turn < TURNS; turn += 2) {
    const before = ball;
    const answer = await lender.bounce({ frame: ball, turn });
    same(mk, answer.turn, turn + 1, 'the turn');
    ball = answer.frame;
    if (before !== ball)
      same(mk, await errorOf(mk, mk.capabilities.identify(before)), 'CAPABILITY_NOT_FOUND', 'it is elsewhere');
  }
  same(
    mk,
    await lender.inspect({ first: lent.frame, second: ball }),
    { firstBytes: 4096, secondBytes: 8192 },
    'in their order',
  );
  same(mk, await errorOf(mk, lender.inspect({ first: 200, second: ball })), 'CAPABILITY_NOT_FOUND', 'nothing there');
  const bare = await mk.capabilities.mint(ball, 1 | 16);
  same(
    mk,
    await errorOf(mk, lender.inspect({ first: bare, second: ball })),
    'MISSING_RIGHT',
    'without the right to grant',
  );
  same(
    mk,
    await lender.inspect({ first: ball, second: ball }),
    { firstBytes: 8192, secondBytes: 8192 },
    'the channel goes on',
  );
  // What a server revokes its clients no longer hold.
  lender.$close();
  return 0;
}
