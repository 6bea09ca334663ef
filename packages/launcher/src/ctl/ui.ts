import { asError } from '@mk/monitor-proto/thrown';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { type PageEvent, WATCHED } from '@mk/ui/model/page-events';
import { actingUrl, type PagePlace, pagePlaceOf } from '../boot/page-place.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { durationMs } from '../cli/values.ts';
import type { LiveSource } from '../ui/live-source.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson } from './context.ts';
import { ENDING } from '@mk/monitor-proto/io/ending-signals';

export const UI: CtlCommand = {
  command: 'ui',
  describe: 'shows the cluster in a browser: machine, links, operations, faults, log; acts on it by click',
  examples: [
    ['$0 ui', 'serves the page on this host and prints its address'],
    ['$0 ui --read-only', 'an address that only looks, to hand on'],
    ['$0 ui --host 0.0.0.0 --port 7070', 'for other hosts too'],
    ['$0 ui --record run.ndjson --for 30s', 'records what a page would be told'],
    ['$0 ui --replay run.ndjson', 'shows a recorded run, with a time slider'],
  ],
  options: (cli) =>
    cli
      .option('host', { type: 'string', requiresArg: true, default: '127.0.0.1', describe: 'the address to listen on' })
      .option('port', { type: 'string', requiresArg: true, default: '0', describe: 'the port; 0 picks a free one' })
      .option('ui-name', {
        type: 'string',
        requiresArg: true,
        describe: 'host names under which the page may be opened, beside addresses and localhost (a,b)',
      })
      .option('read-only', { type: 'boolean', default: false, describe: 'print the address without the token' })
      .option('token', { type: 'boolean', default: false, describe: 'print the token alone, to paste into a page' })
      .option('record', { type: 'string', requiresArg: true, describe: 'write a recording into this file' })
      .option('for', {
        type: 'string',
        requiresArg: true,
        describe: 'with --record: how long (30s); otherwise until Ctrl-C',
      })
      .option('replay', { type: 'string', requiresArg: true, describe: 'show a recording; needs no cluster' }),
  rules: {
    needs: { for: ['record'] },
    excludes: {
      token: ['record', 'replay', 'host', 'port', 'ui-name', 'read-only'],
      record: ['replay', 'host', 'port', 'ui-name', 'read-only'],
      replay: ['read-only', 'cluster', 'skb', 'secret-file', 'tls', 'tls-ca', 'tls-cert', 'tls-key'],
    },
  },
  alone(context) {
    const file = optional(context.args, 'replay');
    return file === undefined ? null : replay(context, file);
  },
  async run(context) {
    const { args, cluster } = context;
    if (args['token'] === true) return context.terminal.out(cluster.controlToken);
    const file = optional(args, 'record');
    if (file !== undefined) return record(context, file);
    const place = pagePlaceOf(args, '');
    if (!cluster.supervised) return serve(context, place);
    const { url } = await cluster.supervisor('ui', { ...place });
    tell(context, url);
  },
};

/** Without a supervisor, this process serves the page until it is interrupted. */
async function serve(context: CtlContext, place: PagePlace): Promise<void> {
  const { openLivePage } = await import('../ui/open-page.ts');
  const page = await openLivePage(place, targetOf(context.args));
  tell(context, page.url);
  await interrupted();
  page.close();
}

async function replay(context: Omit<CtlContext, 'cluster'>, file: string): Promise<void> {
  const [{ openPage }, { ReplaySource }] = await Promise.all([
    import('../ui/open-page.ts'),
    import('../ui/replay-source.ts'),
  ]);
  const source = new ReplaySource(file);
  const page = await openPage(pagePlaceOf(context.args, ''), source);
  if (source.isCutOff)
    context.terminal.error(`mkctl: ${file} ends in the middle of a line: the events before it are shown`);
  if (context.json) context.terminal.out(JSON.stringify({ url: page.url }));
  else context.terminal.out(`${page.url}\nshows ${file}; Ctrl-C ends it`);
  await interrupted();
  page.close();
}

async function record(context: CtlContext, file: string): Promise<void> {
  const { liveSource } = await import('../ui/open-page.ts');
  const source = liveSource(targetOf(context.args));
  const forText = optional(context.args, 'for');
  const forMs = forText === undefined ? null : durationMs('--for', forText);
  const out = openForWriting(file);
  let events = 0;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  const write = (event: PageEvent): void => {
    try {
      // Unlike writeSync, not satisfied with half a line when the disk is nearly full.
      writeFileSync(out, `${JSON.stringify(event)}\n`);
      events += 1;
    } catch (error) {
      fail(new CommandError(`--record ${file}: ${asError(error).message}; ${events} events are in it`));
    }
  };
  source.start(write);
  try {
    source.opening().forEach(write);
    attendAll(source);
    await Promise.race([interrupted(forMs), failed]);
  } finally {
    source.rest();
    closeSync(out);
  }
  if (context.json) printJson(context, { file, events });
  else context.terminal.out(`${events} events in ${file}; mkctl ui --replay ${file} shows them`);
}

function attendAll(source: LiveSource): void {
  source.attend({ what: new Set(WATCHED), root: 0, plan: 'multicast' });
}

function openForWriting(file: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw new UsageError(`--record ${file}: ${asError(error).message}`);
  }
}

function tell({ args, json, terminal, cluster }: CtlContext, url: string): void {
  const readOnly = args['read-only'] === true;
  const address = readOnly ? url : actingUrl(url, cluster.controlToken);
  if (json) return terminal.out(JSON.stringify({ url: address }));
  terminal.out(address);
  terminal.error(readOnly ? 'it looks and cannot act' : 'it can act on the cluster: keep the address to yourself');
}

function targetOf(args: Args): { readonly cluster?: string; readonly skb?: string; readonly secretFile?: string } {
  const [cluster, skb, secretFile] = ['cluster', 'skb', 'secret-file'].map((name) => optional(args, name));
  return {
    ...(cluster !== undefined && { cluster }),
    ...(skb !== undefined && { skb }),
    ...(secretFile !== undefined && { secretFile }),
  };
}

/** Resolves at Ctrl-C, at SIGTERM, or after the time. */
function interrupted(forMs: number | null = null): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ENDING) process.once(signal, () => resolve());
    if (forMs !== null) callAfter(forMs, () => resolve());
  });
}
