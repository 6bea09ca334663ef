import { coreNumber, duration, wholeNumber } from '../cli/values.ts';
import type { Cli } from '../cli/run-cli.ts';

import { describeTimes } from '../client/times.ts';
import { UsageError } from '../cli/usage-error.ts';
import { type Args, type CtlCommand, type CtlContext, printJson, required } from './context.ts';

const LONG_MS = 30 * 60_000;

export const PING: CtlCommand = {
  command: 'ping <from> <to>',
  describe: 'round trips from one core to another',
  examples: [
    ['$0 ping 0 3', 'ten round trips'],
    ['$0 ping 0 3 --count 1000 --bytes 1024 --pause 1ms', 'larger ones, one a millisecond'],
  ],
  options: pingOptions,
  run: runPing,
};

export function pingOptions(cli: Cli): void {
  cli
    .positional('from', { type: 'string', describe: 'the core that pings' })
    .positional('to', { type: 'string', describe: 'the core that answers' })
    .option('count', { type: 'string', requiresArg: true, default: '10', describe: 'how many' })
    .option('bytes', { type: 'string', requiresArg: true, default: '64', describe: 'payload' })
    .option('pause', { type: 'string', requiresArg: true, default: '0', describe: 'pause between two' });
}

export async function runPing(context: CtlContext): Promise<void> {
  const { from, to } = pairOf(context.args);
  const { args } = context;
  const request = {
    core: to,
    count: wholeNumber('--count', required(args, 'count'), 1, 1_000_000),
    bytes: wholeNumber('--bytes', required(args, 'bytes'), 0, 64 << 10),
    pause_us: Math.round(duration('--pause', required(args, 'pause')) / 1000),
  };
  const summary = await context.cluster.core(from, 'ping', request, { timeoutMs: LONG_MS });
  if (context.json) return printJson(context, { from, ...summary });
  context.terminal.out(`core ${from} → ${to}: ${describeTimes(summary, 'round trip')}`);
}

/** The two cores of `<from> <to>`. */
export function pairOf(args: Args): { readonly from: number; readonly to: number } {
  const from = coreNumber('from', required(args, 'from'));
  const to = coreNumber('to', required(args, 'to'));
  if (from === to) throw new UsageError(`a core has no link to itself; name two different cores, not ${from} twice`);
  return { from, to };
}
