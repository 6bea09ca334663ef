import { SHIPPED_MACHINES } from '@mk/machine/catalogue';
import { coreCount, type MachineDescription } from '@mk/machine/description';
import { HWLOC_COVERAGE } from '@mk/machine/hwloc-coverage';
import { loadMachine } from '@mk/machine/io/load';
import { code, page, table } from './markdown.ts';

const INTRO = `For \`--machine\`. One-way times are send + latency + receive, modelled; a link waits that long times the scale.

Without \`--cores\` every core of the machine is booted, up to 128; above that \`mk-launch\` asks for \`--cores\`. A machine larger
or smaller than the cores asked for is cut, or put side by side with copies of itself. The facts of the knowledge base describe
the cores that there are; a core that is added later is described when it joins.
`;

const HWLOC = `What \`lstopo --of xml\` of hwloc 1, 2 and 3 writes, in UTF-8 or UTF-16, whatever the file is called. Not compressed:
\`gunzip\` first. A file that is no such topology, or has a value that cannot be, is refused in one line that names the element.
Units are hwloc’s own: bytes, megahertz, relative latencies.
`;

const ASSUMED = `Where no file tells distances, \`node_distance\` is assumed: 10 within a node and between nodes that are local to the same
cores, 13 between other nodes of a package, 16 one hop away and 6 more for each further hop. Facts of one name past 66,000 (the
pairs of 257 nodes or packages) are left out, and \`facts_left_out(Name, Facts, Most)\` says so.
`;

export function machinesPage(directory: string): string {
  const rows = SHIPPED_MACHINES.map(({ name, doc }) => {
    const loaded = loadMachine(name, directory);
    if (!loaded.ok) throw new Error(loaded.error);
    const { packages, ghz, timeScale } = loaded.value;
    return [code(name), coreCount(loaded.value), packages.length, ghz, latencies(loaded.value), timeScale, doc];
  });
  const read = HWLOC_COVERAGE.filter(({ becomes }) => becomes !== null);
  const unread = HWLOC_COVERAGE.filter(({ becomes }) => becomes === null);
  return page(
    'Machines',
    'packages/launcher/machines and packages/machine/src/hwloc-coverage.ts',
    INTRO,
    table(['machine', 'cores', 'packages', 'GHz', 'one way, same package / each hop', 'time scale', ''], rows),
    '## hwloc files\n',
    HWLOC,
    '### What is read\n',
    table(
      ['in the file', 'becomes', 'facts', ''],
      read.map(({ part, becomes, facts, note }) => [part, becomes ?? '', facts, note]),
    ),
    ASSUMED,
    '### What is not read\n',
    table(
      ['in the file', 'why'],
      unread.map(({ part, note }) => [part, note]),
    ),
  );
}

function latencies({ costs }: MachineDescription): string {
  const { send, latency, receive } = costs;
  const hop = (i: number): number =>
    [send, latency, receive].reduce((sum, { hops }) => sum + (hops[Math.min(i, hops.length - 1)] ?? 0), 0);
  const hops = Array.from({ length: Math.max(send.hops.length, latency.hops.length, receive.hops.length) }, (_, i) =>
    hop(i),
  );
  return [send.samePackage + latency.samePackage + receive.samePackage, ...hops].map(duration).join(' / ');
}

function duration(ns: number): string {
  if (ns === 0) return '0';
  if (ns < 1000) return `${Math.round(ns)} ns`;
  return ns < 1e6 ? `${Number((ns / 1e3).toPrecision(3))} µs` : `${Number((ns / 1e6).toPrecision(3))} ms`;
}
