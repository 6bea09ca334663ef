import { FaultHost } from '@mk/monitor-proto/io/fault-host';
import { createLogger } from '@mk/monitor-proto/io/logger';
import { SpanExporter } from '@mk/monitor-proto/io/span-exporter';
import { trafficMetrics } from '@mk/monitor-proto/io/traffic-metrics';
import { Vitals } from '@mk/monitor-proto/io/vitals';
import { metricsText } from '@mk/monitor-proto/metrics';
import { freshKernel, freshSkb } from './fresh-machines.ts';
import { code, page, table } from './markdown.ts';

/** The metric families of a core and of the SKB, taken from what they serve. */
export function metricsPage(): string {
  const intro =
    'Prometheus text at `/metrics` of every process; every sample carries `core`. `mkctl metrics` merges all processes.\n';
  return page(
    'Metrics',
    'the metrics of a fresh kernel, a fresh SKB and a fresh host',
    intro,
    '## A core\n',
    familyTable(freshKernel().metrics(0)),
    '## The SKB\n',
    familyTable(freshSkb().metrics(0)),
    '## Every process\n',
    familyTable(ofEveryProcess()),
  );
}

function ofEveryProcess(): string {
  const vitals = new Vitals();
  const faults = new FaultHost({ log: () => undefined, touched: () => undefined, retimed: () => undefined });
  const counters = { passed: 0, delayed: 0, dropped: 0, duplicated: 0, reset: 0 };
  const logger = createLogger({ core: 0, incarnation: 0 }, null);
  const spans = new SpanExporter(new URL('http://localhost'), () => ({ core: 0, incarnation: 0 }));
  const families = [
    spans.metrics(),
    trafficMetrics(0, counters, 0),
    faults.metrics(),
    logger.metrics(),
    vitals.metrics(),
  ].flat();
  vitals.close();
  return metricsText(families, {});
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
