import { PAGE_BYTES, rightsText } from '../client/pages.ts';
import { UsageError } from '../cli/usage-error.ts';
import { plainTable } from '../display/ready-table.ts';
import { type CtlCommand, optional, printJson, required } from './context.ts';
import { sizeText } from './memory.ts';

export const VSPACE: CtlCommand = {
  command: 'vspace [domain]',
  describe:
    'what is mapped in the address space of a domain, or of all: where, which frame, rights, who holds translations',
  examples: [
    ['$0 vspace 0.1.17', 'of a domain, by its name'],
    ['$0 vspace', 'of every domain'],
  ],
  options: (cli) => cli.positional('domain', { type: 'string', describe: 'core.incarnation.number' }),
  async run(context) {
    const domain = optional(context.args, 'domain');
    const home = domain === undefined ? null : homeOf(domain);
    const cores = (await context.cluster.cores())
      .map(({ core }) => core)
      .filter((core) => home === null || core === home);
    const asked = domain === undefined ? {} : { domain: [domain] };
    const spaces = (await Promise.all(cores.map((core) => context.cluster.core(core, 'vspaces', asked)))).flat();
    if (context.json) return printJson(context, spaces);
    const table = plainTable(['domain', 'address', 'bytes', 'page', 'frame', 'rights', 'translations on']);
    for (const space of spaces)
      for (const row of space.mapped)
        table.push([
          space.domain,
          hex(row.virtual),
          sizeText(row.bytes),
          sizeText(row.page_bytes),
          hex(row.frame + row.offset),
          row.rights.map(rightsText).join(' '),
          row.holders.length === 0 ? 'nobody' : row.holders.join(' '),
        ]);
    context.terminal.out(table.toString());
    const empty = domain !== undefined && spaces.length === 0;
    if (empty)
      context.terminal.error(`domain ${domain} has no address space (it has not mapped anything, or has ended)`);
    return empty ? 1 : 0;
  },
};

export const PAGES: CtlCommand = {
  command: 'pages <frame>',
  describe:
    'the directory of a frame’s pages, by its physical address (mkctl vspace): state, owner, sharers, statistics',
  examples: [
    ['$0 pages 0x3ff8000', 'the page at this physical address'],
    ['$0 pages 0x3ff8000 --bytes 65536', 'the 16 pages from there on'],
  ],
  options: (cli) =>
    cli
      .positional('frame', { type: 'string', describe: 'physical address' })
      .option('bytes', { type: 'string', requiresArg: true, default: '4096', describe: 'how far' }),
  async run(context) {
    const address = number('the frame', required(context.args, 'frame'));
    const bytes = number('--bytes', required(context.args, 'bytes'));
    if (bytes === 0) throw new UsageError('--bytes is at least 1: how far to look');
    const cores = await context.cluster.cores();
    const rows = (
      await Promise.all(cores.map(({ core }) => context.cluster.core(core, 'pages', { address, bytes })))
    ).flat();
    if (context.json) return printJson(context, rows);
    const names = Object.keys(rows[0]?.statistics ?? {});
    const table = plainTable(['page', 'state', 'owner', 'sharers', 'version', 'waiting', ...names]);
    for (const { page, state, owner, sharers, version, queued, lost, statistics } of rows)
      table.push([
        hex(page * PAGE_BYTES),
        lost ? 'lost' : state,
        owner === null ? '' : String(owner),
        sharers.join(' '),
        String(version),
        String(queued),
        ...names.map((name) => String(statistics[name])),
      ]);
    context.terminal.out(table.toString());
    if (rows.length === 0) context.terminal.out('no page there has been touched');
    return 0;
  },
};

function homeOf(domain: string): number {
  const [, core] = /^(\d+)\.\d+\.\d+$/.exec(domain) ?? [];
  if (core === undefined) throw new UsageError(`${domain} names no domain: a domain is core.incarnation.number`);
  return Number(core);
}

function number(what: string, text: string): number {
  const value = /^(0x[\da-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new UsageError(`${what} is a number, like 0x3ff8000 or 65536, not ${text}`);
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
