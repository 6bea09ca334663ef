/**
 * What spawn-kill spawns: by its argument it exits at once, waits for ever, or never returns from a turn; with memory
 * and a thread of its own.
 */
import { program } from '@mk/libmk/program/program';

const FOR_EVER_NS = 1e15;

export const main = program({ name: 'spawned' }, async (mk) => {
  const address = await mk.capabilities.alloc(4096);
  mk.threads.spawn('idle', () => mk.sleep(FOR_EVER_NS)).detach();
  if (mk.args[0] === 'exit') return address > 0 ? 0 : 1;
  while (mk.args[0] === 'loop');
  await mk.sleep(FOR_EVER_NS);
  return 1;
});
