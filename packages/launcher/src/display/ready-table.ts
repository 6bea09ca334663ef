import { known } from '@mk/monitor-proto/assert';
import Table from 'cli-table3';
import { formatCores, formatDuration } from '@mk/machine/duration';
import type { ClusterSession } from '../supervisor/cluster-session.ts';
import type { BootResult } from '../supervisor/supervisor.ts';
import type { Terminal } from '../cli/terminal.ts';
import { addedDelaysNs, type ResolvedMachine } from '../boot/machine.ts';

/** Up to this many cores each have a row; larger machines show one row per package. */
const ROWS_OF_CORES = 16;

/** The text for the moment at which the cluster is ready. */
export function readyText(
  session: ClusterSession,
  machine: ResolvedMachine,
  result: BootResult,
  terminal: Terminal,
): string {
  const { config, supervisor } = session;
  const { colour } = terminal;
  const elapsed = `${(result.elapsedMs / 1000).toFixed(2)} s to boot`;
  const head = `${colour.green('ready')}: ${result.cores} cores, ${result.links} links, ${elapsed}`;
  return [
    head,
    coreTable(session, machine),
    `links    ${configuredLatency(session, machine)}`,
    `skb      ${supervisor.skbAddress}`,
    `go on    ${goOn(config.name)}`,
  ].join('\n');
}

/** How links were configured, by relation where the machine adds delay. */
export function configuredLatency({ config }: ClusterSession, resolved: ResolvedMachine): string {
  const { machine, name } = resolved;
  const added =
    config.latencyNs + config.jitterNs === 0
      ? 'no added delay'
      : `${formatDuration(config.latencyNs)}${config.jitterNs > 0 ? ` ± ${formatDuration(config.jitterNs)}` : ''} one way`;
  const byRelation = new Map<string, number>();
  if (config.timeScale > 0) {
    const delays = addedDelaysNs(resolved, 0, config.timeScale);
    for (let core = 1; core < config.cores; core++) byRelation.set(machine.relation(0, core), known(delays[core]));
  }
  const scaled = [...byRelation]
    .filter(([, ns]) => ns > 0)
    .map(([relation, ns]) => `${relation.replaceAll('_', ' ')} ${formatDuration(ns)}`);
  return scaled.length === 0
    ? added
    : `${config.latencyNs > 0 || config.jitterNs > 0 ? `${added}; ` : ''}${name} adds one way, from core 0: ${scaled.join(', ')}`;
}

function coreTable({ config, supervisor }: ClusterSession, { machine }: ResolvedMachine): string {
  const rows = supervisor.cores().map(([core, process]) => ({ core, process, package: machine.packageOf(core) }));
  if (config.cores <= ROWS_OF_CORES) {
    const table = plainTable(['core', 'package', 'pid', 'incarnation', 'address']);
    for (const { core, process, package: index } of rows)
      table.push([core, index, process.pid, process.incarnation, process.address].map(String));
    return table.toString();
  }
  const table = plainTable(['package', 'cores', 'pids', 'ports']);
  for (const index of new Set(rows.map((row) => row.package))) {
    const inside = rows.filter((row) => row.package === index);
    const ports = inside.map(({ process }) => Number(process.address.split(':').at(-1)));
    table.push([
      String(index),
      formatCores(inside.map(({ core }) => core)),
      formatCores(inside.map(({ process }) => process.pid)),
      ports.join(' '),
    ]);
  }
  return table.toString();
}

/** A table without a frame: columns and a header. */
export function plainTable(head: readonly string[]): InstanceType<typeof Table> {
  return new Table({
    head: [...head],
    chars: FRAMELESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
}

const FRAMELESS = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
);

function goOn(name: string): string {
  const option = name === 'mk' ? '' : ` --cluster ${name}`;
  return ['ps', 'links', 'bench round', 'logs --follow', 'down'].map((verb) => `mkctl ${verb}${option}`).join('  |  ');
}
