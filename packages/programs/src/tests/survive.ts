/**
 * What a core leaves behind when it dies, seen by a program on another core. The neighbour's core (first argument) is
 * the home of memory that is mapped here, runs a dispatcher of this very domain, serves a request under way, and holds
 * a lock that is waited for. Prints how each of these ends, one per line; silence would be a fault.
 */
import { program } from '@mk/libmk/program/program';
import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { cap, u32 } from '@mk/libmk/interface/kinds';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';

const Neighbour = defineInterface('neighbour', {
  frame: rpc({ out: { frame: cap } }),
  never: rpc({ out: { value: u32 } }),
});
const LOCK = 'survive.lock';
const VALUE = 4711;

export const main = program(
  { name: 'survive', interfaces: [Neighbour], threads: { forever: (mk) => mk.sleep(1e15) } },
  async (mk) => {
    const [core = '1', role = ''] = mk.args;
    if (role === 'neighbour') return neighbour(mk);
    const process = await mk.processes.spawn(null, { core: Number(core), args: [core, 'neighbour'] });
    const client = await mk.bind('neighbour', Neighbour, { timeoutNs: 600e9 });
    const { frame } = await client.frame({});
    const region = await mk.memory.map(frame);
    mk.assert((await mk.memory.load32(region.address)) === VALUE, 'the neighbour’s memory is shared');
    await mk.span(Number(core));
    const thread = mk.spawnOn(Number(core), 'forever', null);
    const ends = [
      told(mk, 'request', client.never({})),
      told(mk, 'thread', thread.join()),
      told(mk, 'lock', mk.octopus.lock(LOCK)),
      told(
        mk,
        'process',
        process.wait().then(({ cause }) => cause),
      ),
    ];
    mk.console.log('ready');
    await Promise.all(ends);
    // The page that was read is a copy of one whose home is gone; a write has to ask that home.
    await told(mk, 'write', Promise.resolve(mk.memory.store32(region.address, 1)));
    await told(mk, 'call', client.never({}));
    return 0;
  },
);

async function neighbour(mk: Mk): Promise<number> {
  const frame = await mk.memory.allocFrame(PAGE_BYTES);
  const region = await mk.memory.map(frame);
  await mk.memory.store32(region.address, VALUE);
  await mk.octopus.lock(LOCK);
  await mk.export('neighbour', Neighbour, {
    frame: () => ({ frame }),
    never: () => new Promise<{ value: number }>(() => undefined),
  });
  await mk.sleep(1e15);
  return 0;
}

/** Prints how something ended. */
async function told(mk: Mk, what: string, ended: Promise<unknown>): Promise<void> {
  try {
    const value = await ended;
    mk.console.log(`${what}: ${typeof value === 'string' ? value : 'ok'}`);
  } catch (error) {
    if (!isMkError(error)) throw error;
    mk.console.log(`${what}: ${error.name}`);
  }
}
