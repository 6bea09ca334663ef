/** Barrelfish's mt_waitset: many threads wait at one wait set; many clients' threads make requests at once. */
import { known } from '../common/known.ts';
import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import type { Request } from '@mk/libmk/channels/connection';
import { coresOf, runCopies, same } from './expecting.ts';

export const Adder = defineInterface('adder', { add: rpc({ in: { a: u32, b: u32 }, out: { sum: u32 } }) });

const SERVERS = 6;
const CLIENT_THREADS = 8;
const REQUESTS = 25;

export const main = program({ name: 'mt-waitset', interfaces: [Adder] }, async (mk) => {
  if (mk.args[0] === 'client') return client(mk);
  const service = await mk.listen('adder', Adder);
  const set = mk.threads.waitSet().add('client', service.accepted);
  const served = Array.from({ length: SERVERS }, () => 0);
  for (let n = 0; n < SERVERS; n += 1) {
    mk.threads
      .spawn(`server ${n}`, async () => {
        for (;;) {
          const event = await set.next();
          if (!event.ok) continue;
          if (event.tag === 'client')
            set.add('request', (event.value as Request<typeof Adder.methods>['connection']).requests);
          else if (event.tag === 'request') {
            const request = event.value as Request<typeof Adder.methods>;
            const { a, b } = request.input as { a: number; b: number };
            if ((a + b) % 5 === 0) await mk.sleep(1_000);
            await request.reply({ sum: a + b });
            served[n] = known(served[n]) + 1;
          }
        }
      })
      .detach();
  }
  const cores = coresOf(mk);
  await runCopies(mk, 'client', cores);
  same(
    mk,
    served.reduce((sum, count) => sum + count, 0),
    cores.length * CLIENT_THREADS * REQUESTS,
    'requests served',
  );
  mk.assert(
    served.every((count) => count > 0),
    `every thread has served: ${served.join(' ')}`,
  );
  await service.close();
  return 0;
});

async function client(mk: Mk): Promise<number> {
  const adder = await mk.bind('adder', Adder, { timeoutNs: 20e9 });
  const workers = Array.from({ length: CLIENT_THREADS }, (_, thread) =>
    mk.threads.spawn(`client ${thread}`, async () => {
      for (let n = 0; n < REQUESTS; n += 1) {
        const { sum } = await adder.add({ a: thread, b: n });
        same(mk, sum, thread + n, 'the sum');
      }
    }),
  );
  for (const worker of workers) await worker.join();
  return 0;
}
