/** A check, its outcome, and the remedy. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'bad';
  readonly found: string;
  /** Empty if nothing needs doing. */
  readonly advice: string;
}

/** The host's own figures; null: unknown. */
export interface HostFacts {
  readonly node: string;
  readonly cpus: number;
  readonly load: number;
  readonly openFiles: number | null;
  readonly processes: number | null;
  readonly availableBytes: number | null;
  readonly ports: { readonly low: number; readonly high: number } | null;
  /** Why no socket could be opened on the loopback; null if one could. */
  readonly listenFault: string | null;
  readonly folders: readonly {
    readonly path: string;
    readonly freeBytes: number | null;
    readonly fault: string | null;
  }[];
  /** Version of the container engine that answers; null: none does. */
  readonly engine: string | null;
  readonly clusters: readonly ClusterFacts[];
  /** Files that should be records of clusters and cannot be read as such. */
  readonly strangeRecords: readonly string[];
}

export interface ClusterFacts {
  readonly name: string;
  readonly running: number;
  readonly processes: number;
  readonly supervised: boolean;
}

/** The oldest tested Node (package.json, engines). */
const LEAST_NODE = [20, 11] as const;
/** A core's process at rest, with room for a flood. */
const CORE_BYTES = 90e6;
const SKB_BYTES = 200e6;
/** Files that a process opens besides its links. */
const OTHER_FILES = 64;
const LEAST_FREE_BYTES = 500e6;

/** Whether this host can run a cluster of so many cores. Pure: the facts were gathered elsewhere. */
export function judge(facts: HostFacts, cores: number): readonly Finding[] {
  return [
    node(facts),
    cpus(facts, cores),
    memory(facts, cores),
    openFiles(facts, cores),
    processes(facts, cores),
    ports(facts, cores),
    ...facts.folders.map(folder),
    engine(facts),
    ...clusters(facts),
    ...facts.strangeRecords.map(strangeRecord),
  ];
}

function node({ node: version }: HostFacts): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const fine = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  return finding('Node', fine ? 'ok' : 'bad', version, `install Node ${LEAST_NODE.join('.')} or later`);
}

function cpus({ cpus: count, load }: HostFacts, cores: number): Finding {
  const found = `${count} CPUs, load ${load.toFixed(1)}`;
  if (load > 2 * count)
    return finding('CPUs', 'warning', found, 'the host is busy: round trips show it, not the links');
  const crowded = cores > 16 * count;
  return finding(
    'CPUs',
    crowded ? 'warning' : 'ok',
    found,
    `${cores} cores share them: boot takes long; mk-launch sim needs no processes`,
  );
}

function memory({ availableBytes }: HostFacts, cores: number): Finding {
  if (availableBytes === null) return finding('memory', 'ok', 'not known', '');
  const needed = cores * CORE_BYTES + SKB_BYTES;
  const found = `${gigabytes(availableBytes)} available; ${cores} cores take about ${gigabytes(needed)}`;
  const most = Math.max(0, Math.floor((availableBytes - SKB_BYTES) / CORE_BYTES));
  return finding(
    'memory',
    availableBytes >= needed ? 'ok' : 'bad',
    found,
    `use at most ${most} cores, or end what uses the memory`,
  );
}

/** The most possible: a core has a socket to every other one. */
function openFiles({ openFiles: limit }: HostFacts, cores: number): Finding {
  if (limit === null) return finding('open files', 'ok', 'no limit is known', '');
  const needed = 2 * cores + OTHER_FILES;
  return finding(
    'open files',
    limit >= needed ? 'ok' : 'bad',
    `limit ${limit}, a process needs ${needed}`,
    `ulimit -n ${needed}`,
  );
}

function processes({ processes: limit }: HostFacts, cores: number): Finding {
  if (limit === null) return finding('processes', 'ok', 'no limit is known', '');
  // Node has about ten threads, and each counts.
  const needed = 12 * (cores + 2);
  return finding(
    'processes',
    limit >= needed ? 'ok' : 'bad',
    `limit ${limit}, needed ${needed}`,
    `ulimit -u ${needed}`,
  );
}

function ports({ ports: range, listenFault }: HostFacts, cores: number): Finding {
  if (listenFault !== null)
    return finding(
      'ports',
      'bad',
      `nothing can listen on 127.0.0.1 (${listenFault})`,
      'bring the loopback up: ip link set lo up',
    );
  if (range === null) return finding('ports', 'ok', 'the loopback works', '');
  const count = range.high - range.low + 1;
  const needed = cores * (cores - 1) + 4 * cores;
  const found = `${range.low} to ${range.high}; ${needed} are used by ${cores} cores and their links`;
  return finding('ports', count >= needed ? 'ok' : 'bad', found, `sysctl net.ipv4.ip_local_port_range="1024 65535"`);
}

function folder({ path, freeBytes, fault }: HostFacts['folders'][number]): Finding {
  if (fault !== null)
    return finding('disk', 'bad', `${path}: ${fault}`, 'set MK_STATE_DIR to a folder that can be written');
  if (freeBytes === null) return finding('disk', 'ok', path, '');
  const found = `${path}: ${gigabytes(freeBytes)} free`;
  return finding(
    'disk',
    freeBytes >= LEAST_FREE_BYTES ? 'ok' : 'warning',
    found,
    'logs and journals may not fit: make room',
  );
}

function engine({ engine: version }: HostFacts): Finding {
  if (version !== null) return finding('engine', 'ok', `docker ${version}`, '');
  return finding(
    'engine',
    'warning',
    'no container engine answers',
    'only docker compose up needs one: start Docker, or join its group',
  );
}

function clusters({ clusters: found }: HostFacts): readonly Finding[] {
  if (found.length === 0) return [finding('clusters', 'ok', 'none runs here', '')];
  return found.map(({ name, running, processes: all, supervised }) => {
    const text = `${name}: ${running} of ${all} processes run`;
    if (!supervised)
      return finding(
        'clusters',
        'bad',
        `${text}, and nobody looks after them`,
        `mk-launch takeover --name ${name}, or mkctl down --cluster ${name}`,
      );
    const state = running < all ? 'warning' : 'ok';
    return finding('clusters', state, text, `mkctl ps --cluster ${name} shows who has ended`);
  });
}

function strangeRecord(path: string): Finding {
  const advice =
    'its cluster cannot be reached by name: if it is yours, end its processes by hand (ps), and delete the file';
  return finding('clusters', 'warning', `${path} cannot be read as a record of a cluster`, advice);
}

function finding(check: string, state: Finding['state'], found: string, advice: string): Finding {
  return { check, state, found, advice: state === 'ok' ? '' : advice };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
