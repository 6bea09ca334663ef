import { freshKernel, freshSkb } from './fresh-machines.ts';
import { code, page, table } from './markdown.ts';

/** The families that a core and the SKB serve, from their own text. */
export function metricsPage(): string {
  const intro =
    'Prometheus text at `/metrics` of every process; every sample carries `core`. `mkctl metrics` merges all processes.\n';
  return page(
    'Metrics',
    'the metrics of a fresh kernel and a fresh SKB',
    intro,
    '## A core\n',
    familyTable(freshKernel().metrics()),
    '## The SKB\n',
    familyTable(freshSkb().metrics()),
  );
}

function familyTable(text: string): string {
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [
    code(name!),
    types.get(name!) ?? '',
    help!,
  ]);
  return table(['metric', 'type', 'meaning'], rows);
}
