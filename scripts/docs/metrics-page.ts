import { Kernel } from '@mk/node-kernel/kernel';
import { Skb } from '@mk/skb/skb';
import { code, page, table } from './markdown.ts';

/** The families that a core and the SKB serve, from their own text. */
export function metricsPage(): string {
  const shared = {
    cluster: 'docs',
    secret: new Uint8Array(32),
    instance: '0'.repeat(32),
    entropy: new Uint8Array(32),
    hmac: () => new Uint8Array(32),
    logLevel: 'off',
  } as const;
  const kernel = new Kernel({ ...shared, wantedCore: 0, skbAddress: '', address: '' });
  const flat = { packageOf: () => 0, latencyNs: () => 0, sendOccupancyNs: () => 0, receiveOccupancyNs: () => 0 };
  const skb = new Skb({
    ...shared,
    expectedCores: 1,
    maxCores: 1,
    machine: flat,
    machineText: '{}',
    settingsFor: () => '{}',
    measure: false,
  });
  const intro =
    'Prometheus text at `/metrics` of every process; every sample carries `core`. `mkctl metrics` merges all processes.\n';
  return page(
    'Metrics',
    'the metrics of a fresh kernel and a fresh SKB',
    intro,
    '## A core\n',
    familyTable(kernel.metrics()),
    '## The SKB\n',
    familyTable(skb.metrics()),
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
