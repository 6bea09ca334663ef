/** Barrelfish's yield test: two programs of one core that yield take turns, and one that only waits is not starved by them. */
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { same } from './expecting.ts';

const ROUNDS = 20;

export const main = program({ name: 'yield' }, async (mk) => {
  if (mk.args[0] === 'spinner') {
    let rounds = 0;
    await mk.octopus.set(`'yield.begun.${mk.args[1]}' {}`);
    await mk.octopus.waitFor("'yield.go'");
    while (!(await done(mk, rounds))) {
      for (let n = 0; n < ROUNDS; n += 1) {
        rounds += 1;
        await mk.yield();
      }
    }
    return 0;
  }
  const spinners = await Promise.all([0, 1].map((n) => mk.processes.spawn(null, { args: ['spinner', `${n}`] })));
  for (const n of [0, 1]) await mk.octopus.waitFor(`'yield.begun.${n}'`);
  await mk.octopus.set("'yield.go' {}");
  // Timers keep firing on a core on which everybody yields.
  for (let n = 0; n < 20; n += 1) await mk.sleep(5e6);
  let order = '';
  const threads = ['a', 'b', 'c'].map((name) =>
    mk.threads.spawn(name, async () => {
      for (let n = 0; n < 3; n += 1) {
        order += name;
        await mk.yield();
      }
    }),
  );
  for (const thread of threads) await thread.join();
  same(mk, order, 'abcabcabc', 'threads take turns');
  await mk.octopus.set("'yield.stop' { stop: 1 }");
  const rounds: number[] = [];
  for (const [n, spinner] of spinners.entries()) {
    same(mk, (await spinner.wait()).status, 0, 'a spinner');
    const record = await mk.octopus.get(`'yield.rounds.${n}'`);
    rounds.push(Number(record?.attributes['rounds'] ?? 0));
    for (const name of [`yield.rounds.${n}`, `yield.begun.${n}`]) await mk.octopus.delete(`'${name}'`);
  }
  for (const name of ['yield.stop', 'yield.go']) await mk.octopus.delete(`'${name}'`);
  const [least, most] = [Math.min(...rounds), Math.max(...rounds)];
  mk.assert(least > 0 && most <= 3 * least, `they had about as many turns each: ${rounds.join(' ')}`);
  return 0;
});

async function done(mk: Mk, rounds: number): Promise<boolean> {
  if (!(await mk.octopus.exists("'yield.stop'"))) return false;
  await mk.octopus.set(`'yield.rounds.${mk.args[1]}' { rounds: ${rounds} }`);
  return true;
}
