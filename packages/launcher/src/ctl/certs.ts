import { CommandError } from '../cli/usage-error.ts';
import { plainTable } from '../display/ready-table.ts';
import { type CtlCommand, printJson } from './context.ts';

export const CERTS: CtlCommand = {
  command: 'certs',
  describe: 'the certificates of a cluster that speaks TLS',
  examples: [['$0 certs', 'a serial number in the list of --tls-revoked, or in revoked.txt, ends one']],
  async run(context) {
    const { cluster, terminal } = context;
    const { rows, silent } = await cluster.certificates();
    for (const { process, why } of silent) terminal.error(`mkctl: ${process} shows no certificate: ${why}`);
    if (context.json) return printJson(context, rows);
    if (rows.length === 0 && silent.length === 0)
      throw new CommandError(
        `cluster ${cluster.name} speaks no TLS; ${cluster.record === null ? 'give its processes MK_TLS_DIR' : 'boot one with mk-launch --tls auto'}`,
      );
    const shows = rows.some(({ by }) => by !== undefined);
    const table = plainTable(['for', 'serial', 'valid to', ...(shows ? ['shown by'] : [])]);
    for (const { name, serial, validTo, by = [] } of rows)
      table.push([name, serial, validTo, ...(shows ? [by.join(' ')] : [])]);
    terminal.out(table.toString());
  },
};
