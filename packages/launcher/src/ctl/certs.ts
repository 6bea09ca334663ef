import { CommandError } from '../cli/usage-error.ts';
import { plainTable } from '../display/ready-table.ts';
import { type CtlCommand, printJson } from './context.ts';

export const CERTS: CtlCommand = {
  command: 'certs',
  describe: 'the certificates of a cluster that speaks TLS',
  examples: [['$0 certs', 'a serial number in the list of --tls-revoked, or in revoked.txt, ends one']],
  async run(context) {
    const rows = await context.cluster.supervisor('certs');
    if (context.json) return printJson(context, rows);
    if (rows.length === 0)
      throw new CommandError(`cluster ${context.cluster.name} speaks no TLS; boot one with mk-launch --tls auto`);
    const table = plainTable(['for', 'serial', 'valid to']);
    for (const { name, serial, validTo } of rows) table.push([name, serial, validTo]);
    context.terminal.out(table.toString());
  },
};
