import { plainTable } from '../display/ready-table.ts';
import { type CtlCommand, printJson } from './context.ts';
import { fromEach } from './from-each.ts';

export const MEM: CtlCommand = {
  command: 'mem',
  describe: 'RAM by core: free, in use, lent to cores that ran out, stolen from others',
  examples: [
    ['$0 mem', 'a line a core, and the sum'],
    ['$0 mem --json', 'bytes'],
  ],
  async run(context) {
    const cores = (await context.cluster.cores()).map(({ core }) => core);
    const { values, status } = await fromEach(context, cores, 'memory');
    const rows = values.map(({ core, value }) => ({ core, ...value }));
    if (context.json) {
      printJson(context, rows);
      return status;
    }
    const table = plainTable(['core', 'brought', 'free', 'largest piece', 'in use', 'lent', 'stolen']);
    for (const row of rows)
      table.push([
        String(row.core),
        sizeText(row.brought),
        sizeText(row.free),
        sizeText(row.largest_free),
        sizeText(row.brought - row.free_own - row.lent),
        row.lent_to.map(({ to, bytes }) => `${sizeText(bytes)} to ${to}`).join(', ') || '0',
        row.steals === 0 ? '0' : `${sizeText(row.stolen)} in ${row.steals}`,
      ]);
    context.terminal.out(table.toString());
    const sum = (field: 'brought' | 'free'): number => rows.reduce((total, row) => total + row[field], 0);
    context.terminal.out(`${sizeText(sum('free'))} of ${sizeText(sum('brought'))} free`);
    return status;
  },
};

/** Bytes for people: `1.5 MiB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return bytes === 0 ? '0' : `${Number(value.toFixed(value < 10 ? 2 : 1))} ${units[unit]}`;
}
