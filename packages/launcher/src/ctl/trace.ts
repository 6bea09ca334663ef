import { chromeTrace } from '@mk/monitor-proto/trace/chrome-trace';
import { checkOutput, writeOutput } from '../cli/output-file.ts';
import { UsageError } from '../cli/usage-error.ts';
import { durationMs, wholeNumber } from '../cli/values.ts';
import { Collector } from '../tracing/collect.ts';
import { mergeNotes } from '../tracing/merge.ts';
import { type CtlCommand, printJson, required } from './context.ts';
import { interruptibly, untilAborted } from './interruption.ts';

/** The most that processes accept. */
const LONGEST_MS = 86_400_000;

export const TRACE: CtlCommand = {
  command: 'trace',
  describe: 'records what all cores do, as one Chrome trace for Perfetto',
  examples: [
    ['$0 trace --for 5s -o trace.json', 'a track a core, an arrow a message; open it at ui.perfetto.dev'],
    [
      '$0 trace --for 1m --buffer 500000',
      'a longer one; without the option the last 40000 events of each process are kept',
    ],
  ],
  options: (cli) =>
    cli
      .option('for', { type: 'string', requiresArg: true, default: '5s', describe: 'how long; Ctrl-C ends it earlier' })
      .option('out', {
        alias: 'o',
        type: 'string',
        requiresArg: true,
        default: 'trace.json',
        describe: 'the file to write',
      })
      .option('buffer', {
        type: 'string',
        requiresArg: true,
        default: '40000',
        describe: 'events that each process keeps; older ones are dropped and counted',
      }),
  async run(context) {
    const { cluster, terminal, args, json } = context;
    const forMs = durationMs('--for', required(args, 'for'));
    if (forMs > LONGEST_MS) throw new UsageError('--for: a trace covers a day at most');
    const buffer = wholeNumber('--buffer', required(args, 'buffer'), 1000, 1_000_000);
    const out = required(args, 'out');
    checkOutput('--out', out);
    const collector = new Collector(cluster);
    await collector.start(buffer, forMs);
    if (!json) terminal.error(`mkctl: tracing for ${forMs / 1000} s; Ctrl-C ends it earlier`);
    await interruptibly((signal) => untilAborted(signal, forMs));
    const { processes, missing } = await collector.stop();
    const picture = mergeNotes(`mk ${cluster.name}`, processes);
    writeOutput(out, chromeTrace(picture));
    for (const line of missing) terminal.error(`mkctl: ${line}`);
    const lost = processes.reduce((sum, notes) => sum + notes.lost, 0);
    if (lost > 0) terminal.error(`mkctl: ${lost} older events did not fit; --buffer keeps more`);
    const withinNs = Math.max(0, ...processes.map((notes) => notes.withinNs).filter(Number.isFinite));
    const counts = {
      processes: processes.length,
      slices: picture.slices.length,
      messages: picture.flows.length,
      operations: picture.spans.length,
      lost,
    };
    if (json) printJson(context, { file: out, ...counts, clocksWithinNs: Math.round(withinNs) });
    else
      terminal.out(
        `wrote ${out}: ${counts.processes} processes, ${counts.slices} slices, ${counts.messages} messages, ` +
          `${counts.operations} operations; clocks agree within ${Math.round(withinNs / 1000)} µs; open it at https://ui.perfetto.dev`,
      );
    return missing.length === 0 ? 0 : 1;
  },
};
