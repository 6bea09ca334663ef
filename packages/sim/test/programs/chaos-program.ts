import { start } from './bare-runtime.ts';

/**
 * A program that does at random what programs can do to their domains: spawn, span, send, allocate, wait, kill, exit,
 * fail, run for ever. Every choice comes from its own Math.random. Errors are expected: cores die under it.
 */
start(async (mk) => {
  const [cores = '1', depth = '0'] = mk.run.args;
  const anyCore = (): number => Math.floor(Math.random() * Number(cores));
  const tried = async (name: string, ...args: never[]): Promise<unknown> => mk.call(name, ...args).catch(() => null);
  if (mk.run.part === 'span') {
    for (const core of mk.run.cores) mk.tell('span_send', core, `from ${mk.run.core}`);
    if (Math.random() < 0.2) throw new Error('a spanned part fails');
    await mk.sleep(1e9 * (1 + 5 * Math.random()));
    return;
  }
  const children: string[] = [];
  for (let acts = 3 + Math.floor(Math.random() * 8); acts > 0; acts--) {
    await mk.sleep(2e8 * Math.random());
    const act = Math.random();
    if (act < 0.3) await tried('span', anyCore() as never);
    else if (act < 0.55 && Number(depth) < 2) {
      const held = (await tried('allocate', { bytes: 4096 } as never)) as number | null;
      const request = {
        core: anyCore(),
        args: [cores, String(Number(depth) + 1)],
        capabilities: held === null ? [] : [held],
      };
      const child = (await tried('spawn', request as never)) as { domain: string } | null;
      if (child !== null) children.push(child.domain);
    } else if (act < 0.65 && children.length > 0) await tried('kill', children.pop() as never);
    else if (act < 0.75 && children.length > 0) await tried('wait', children.pop() as never);
    else if (act < 0.8) for (const core of mk.run.cores) mk.tell('span_send', core, { at: acts });
    else if (act < 0.83) throw new Error('by chance');
    else if (act < 0.86) await mk.sleep(3600e9);
  }
  mk.exit(3);
});
