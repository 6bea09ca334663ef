import { known } from '@mk/monitor-proto/assert';
import { isRecord } from '@mk/monitor-proto/guards';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { readPlainFile } from '../journal/io/plain-file.ts';

/** Words of the shared memory, and how often the thread looks at it. */
export const WITNESS = {
  words: 4,
  /** Odd: a request is being performed. */
  turn: 0,
  /** Bytes of its text; 0: too long to be recorded. */
  length: 1,
  stop: 2,
  /** Room for any request of Octopus. */
  textBytes: 64 << 10,
  /** A request's turn takes 15 ms at most: one seen three times is the cause if the process dies … */
  lookMs: 100,
  looks: 2,
  /**
   * … provided that the process has used this much CPU meanwhile: one that is starved, stopped or waiting for a disk is
   * not at work on the request.
   */
  workedMs: 100,
} as const;

/** A running query is recorded once the process has grown by this much. */
const GROWN_MEBIBYTES = 256;
const FILE = { request: 'under-way.json', query: 'under-way-query.json' } as const;
/** The build puts it beside the program. */
const WORKER = new URL('./skb-witness.cjs', import.meta.url);

export interface WitnessStart {
  readonly shared: SharedArrayBuffer;
  readonly path: string;
}

/** What an earlier life was busy with when it died. */
export interface LastRequest {
  readonly request: string;
  readonly why: string;
}

/**
 * Records the request that this process is busy with if it takes long or much memory: should the process end without a
 * word (heap full, killed by the host), the next life knows the cause (decision 0117).
 */
export class Witness {
  private readonly state: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly encoder = new TextEncoder();
  private readonly worker: Worker;
  private readonly queryPath: string;
  private query = '';

  constructor(dataDir: string, program: string = fileURLToPath(WORKER)) {
    const shared = new SharedArrayBuffer(WITNESS.words * 4 + WITNESS.textBytes);
    this.state = new Int32Array(shared, 0, WITNESS.words);
    this.bytes = new Uint8Array(shared, WITNESS.words * 4);
    this.queryPath = join(dataDir, FILE.query);
    const workerData: WitnessStart = { shared, path: join(dataDir, FILE.request) };
    this.worker = new Worker(program, { workerData, resourceLimits: { maxOldGenerationSizeMb: 16 } });
    this.worker.on('error', () => undefined); // without the thread the next life knows less, and nothing else is wrong
    this.worker.unref();
  }

  /** A request begins, or (null) has ended. Takes less than a microsecond. */
  busyWith(request: string | null): void {
    if ((known(this.state[WITNESS.turn]) & 1) === 1) Atomics.add(this.state, WITNESS.turn, 1);
    if (request === null) return;
    const isShort = request.length * 3 <= WITNESS.textBytes;
    this.state[WITNESS.length] = isShort ? this.encoder.encodeInto(request, this.bytes).written : 0;
    Atomics.add(this.state, WITNESS.turn, 1);
  }

  /** The query running in the engine, and the growth of the process meanwhile; null: none runs. */
  queryRuns(goal: string | null, grownMebibytes: number): void {
    const query = goal !== null && grownMebibytes >= GROWN_MEBIBYTES ? `query ${goal}` : '';
    if (query === this.query) return;
    this.query = query;
    try {
      if (query === '') rmSync(this.queryPath, { force: true });
      else
        writeFileSync(
          this.queryPath,
          JSON.stringify({ request: query, why: `it had grown by ${Math.round(grownMebibytes)} MiB over it` }),
        );
    } catch {
      // Perhaps the disk itself has failed; the next life then knows less.
    }
  }

  close(): void {
    this.queryRuns(null, 0);
    Atomics.store(this.state, WITNESS.stop, 1);
    Atomics.notify(this.state, WITNESS.stop);
  }
}

/** What the previous life was busy with when it died; read once, then deleted. */
export function lastRequests(dataDir: string | undefined): readonly LastRequest[] {
  if (dataDir === undefined) return [];
  return Object.values(FILE).flatMap((file) => {
    const path = join(dataDir, file);
    try {
      const last: unknown = JSON.parse(readPlainFile(path));
      rmSync(path, { force: true });
      if (!isRecord(last)) return [];
      const { request, why } = last;
      return typeof request === 'string' ? [{ request, why: String(why) }] : [];
    } catch {
      return [];
    }
  });
}
