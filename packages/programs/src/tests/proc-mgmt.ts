/** Barrelfish's proc_mgmt_test: kill, wait, nohang, here and on other cores. The first argument lists the cores. */
import { program } from '@mk/libmk/program/program';
import { coresOf, errorOf, same } from './expecting.ts';

export const main = program({ name: 'proc-mgmt', threads: { idle: (mk) => mk.sleep(1e15) } }, async (mk) => {
  if (mk.args[0] === 'idle') {
    for (const core of mk.args.slice(1).map(Number)) {
      await mk.span(core);
      mk.spawnOn(core, 'idle').detach();
    }
    await mk.octopus.set(`'proc-mgmt.ready' { domain: '${mk.self.domain}' }`, { sequential: true, transient: true });
    await mk.sleep(1e15);
  }
  if (mk.args[0] === 'quick') return 5;
  if (mk.args[0] === 'wrong') throw new TypeError('on purpose');
  for (const core of coresOf(mk)) {
    const others = coresOf(mk).filter((other) => other !== core);
    const idle = await mk.processes.spawn(null, { core, args: ['idle', ...others.map(String)] });
    await mk.octopus.waitFor(`r'^proc-mgmt\\.ready_' { domain: == '${idle.domain}' }`);
    same(mk, (await idle.status()).finished, false, 'nohang while it runs');
    const waiter = mk.threads.spawn('waiter', () => idle.wait());
    await idle.kill();
    const end = await waiter.join();
    same(mk, [end.finished, end.cause], [true, 'KILLED'], 'how a killed domain ends');
    same(mk, Object.keys(end.parts).length, others.length + 1, 'all its parts');
    mk.assert(
      Object.values(end.parts).every((part) => part !== 'running'),
      'have stopped when the status comes',
    );
    same(mk, (await idle.status()).cause, 'KILLED', 'nohang after its end');
    const quick = await (await mk.processes.spawn(null, { core, args: ['quick'] })).wait();
    same(mk, [quick.cause, quick.status], ['exited', 5], 'a status');
    const wrong = await (await mk.processes.spawn(null, { core, args: ['wrong'] })).wait();
    same(mk, wrong.status, 1, 'a program that throws');
    mk.assert(wrong.text.includes('thread main: TypeError: on purpose'), `the error is told: ${wrong.text}`);
  }
  same(mk, await errorOf(mk, mk.processes.named('0.1.999999').wait()), 'NO_SUCH_DOMAIN', 'nobody of that name');
  return 0;
});
