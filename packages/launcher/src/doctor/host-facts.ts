import { codeOf } from '@mk/monitor-proto/thrown';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, freemem, loadavg, tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { isRunning } from '@mk/libmk/io/process-identity';
import { StateDirectory } from '../state/state-directory.ts';
import type { ClusterFacts, HostFacts } from './checks.ts';

/** Gathers the host's facts; unknown ones are null. */
export async function hostFacts(state = new StateDirectory()): Promise<HostFacts> {
  return {
    node: process.version,
    cpus: cpus().length,
    load: loadavg()[0] ?? 0,
    openFiles: limitOf('Max open files'),
    processes: limitOf('Max processes'),
    availableBytes: availableBytes(),
    ports: portRange(),
    listenFault: await listenFault(),
    folders: [...new Set([existing(state.path), tmpdir()])].map(folderFacts),
    engine: engineVersion(),
    clusters: state.running().map((record): ClusterFacts => ({
      name: record.name,
      running: record.processes.filter((each) => isRunning(each)).length,
      processes: record.processes.length,
      supervised: isRunning(record.supervisor),
    })),
    strangeRecords: state.unreadable(),
  };
}

/** The soft limit of this process, which its children inherit. */
function limitOf(name: string): number | null {
  const row = read('/proc/self/limits')
    ?.split('\n')
    .find((line) => line.startsWith(name));
  const soft = Number(row?.slice(name.length).trim().split(/\s+/)[0]);
  return Number.isFinite(soft) ? soft : null;
}

function availableBytes(): number | null {
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(read('/proc/meminfo') ?? '')?.[1];
  return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024;
}

function portRange(): HostFacts['ports'] {
  const [low, high] = (read('/proc/sys/net/ipv4/ip_local_port_range') ?? '').trim().split(/\s+/).map(Number);
  return low === undefined || high === undefined ? null : { low, high };
}

function listenFault(): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(0, '127.0.0.1', () => server.close(() => resolve(null)));
  });
}

function folderFacts(path: string): HostFacts['folders'][number] {
  try {
    if (!statSync(path).isDirectory()) return { path, freeBytes: null, fault: 'is not a folder' };
    accessSync(path, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(path);
    return { path, freeBytes: bavail * bsize, fault: null };
  } catch (error) {
    return { path, freeBytes: null, fault: `cannot be written into (${codeOf(error)})` };
  }
}

/** The folder itself, or its nearest existing parent, in which the others will be made. */
function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path));
}

function engineVersion(): string | null {
  const { status, stdout } = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], {
    encoding: 'utf8',
    timeout: 5000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : null;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
