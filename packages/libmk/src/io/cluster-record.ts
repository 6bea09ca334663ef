/*
 * mk-launch's record of a cluster that runs on this host: one file per cluster, readable only by its owner because it
 * holds the cluster's secret.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { bootId, isRunning } from './process-identity.ts';

/** One process of a cluster: `skb` or `core-3`; an empty address is not known yet. */
export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  readonly startedTicks: string | null;
  readonly address: string;
  /** Its address for links, if that is not `address`. */
  readonly links?: string | undefined;
  /** For a core that has registered. */
  readonly incarnation?: number | undefined;
}

/** A running cluster, as recorded. */
export interface ClusterRecord {
  readonly version: 1;
  readonly name: string;
  readonly seed: string;
  readonly machine: string;
  readonly createdAt: string;
  readonly secret: string;
  readonly detached: boolean;
  readonly logDir: string | null;
  /** The boot of the host that the processes belong to; absent in records of earlier versions. */
  readonly bootId?: string | null | undefined;
  /** The TLS credentials of the cluster's clients; absent: no TLS there. */
  readonly tls?: TlsSettings | undefined;
  readonly supervisor: ProcessRecord;
  readonly processes: readonly ProcessRecord[];
}

const PROCESS: z.ZodType<ProcessRecord> = z.strictObject({
  name: z.string(),
  pid: z.int().min(-1),
  startedTicks: z.string().nullable(),
  address: z.string(),
  links: z.string().optional(),
  incarnation: z.int().optional(),
});

const TLS: z.ZodType<TlsSettings> = z
  .strictObject({ ca: z.string(), cert: z.string(), key: z.string(), revoked: z.string().optional() })
  .transform(({ revoked, ...rest }) => (revoked === undefined ? rest : { ...rest, revoked }));

const RECORD: z.ZodType<ClusterRecord> = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  seed: z.string(),
  machine: z.string(),
  createdAt: z.string(),
  secret: z.string(),
  detached: z.boolean(),
  logDir: z.string().nullable(),
  bootId: z.string().nullable().optional(),
  tls: TLS.optional(),
  supervisor: PROCESS,
  processes: z.array(PROCESS),
});

/** Reads a file's record of a cluster; null if it is not one. */
export function readRecord(file: string): ClusterRecord | null {
  try {
    return RECORD.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** The clusters recorded in a folder with a process that still runs. */
export function runningClusters(directory: string): readonly ClusterRecord[] {
  let files: string[];
  try {
    files = readdirSync(directory).sort();
  } catch {
    return [];
  }
  return files
    .filter((name) => name.endsWith('.json'))
    .map((name) => readRecord(join(directory, name)))
    .filter((record) => record !== null)
    .filter(isAlive);
}

/** Whether anything of the cluster still runs. */
export function isAlive(record: ClusterRecord): boolean {
  // Process numbers and start times start over with each boot of the host.
  if (record.bootId !== undefined && record.bootId !== bootId()) return false;
  return isRunning(record.supervisor) || record.processes.some((process) => isRunning(process));
}
