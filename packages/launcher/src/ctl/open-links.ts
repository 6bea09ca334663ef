import { formatCores } from '@mk/machine/duration';
import { plainTable } from '../display/ready-table.ts';
import { type CtlContext, printJson } from './context.ts';
import { fromEach } from './from-each.ts';

/** Which links each core has open, and to how many others it has none yet: links open on first use. */
export async function printOpenLinks(context: CtlContext): Promise<number> {
  const cores = (await context.cluster.cores()).map(({ core }) => core);
  const { values, status } = await fromEach(context, cores, 'links');
  const rows = values.map(({ core, value }) => {
    const others = value.filter(({ peer }) => typeof peer === 'number');
    const open = others.flatMap(({ peer, up }) => (up && typeof peer === 'number' ? [peer] : []));
    return { core, open, others: others.length, skb: value.some(({ peer, up }) => peer === 'skb' && up) };
  });
  if (context.json) {
    printJson(context, rows);
    return status;
  }
  const table = plainTable(['core', 'open', 'of', 'to', 'SKB']);
  for (const { core, open, others, skb } of rows)
    table.push([String(core), String(open.length), String(others), formatCores(open), skb ? 'open' : 'down']);
  context.terminal.out(table.toString());
  const ends = rows.reduce((sum, { open }) => sum + open.length, 0);
  const pairs = rows.reduce((sum, { others }) => sum + others, 0);
  context.terminal.out(
    `${Math.round(ends / 2)} of ${Math.round(pairs / 2)} links are open; others open when something is first sent`,
  );
  return status;
}
