import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord, isWhole } from '@mk/monitor-proto/guards';
import { readPlainFile } from '../journal/io/plain-file.ts';
import type { AgreedView } from '../registry/founding.ts';

/** Numbers of views have 32 bits. */
const MOST_NUMBER = 2 ** 32 - 1;
const MOST_CORES = 4096;

/**
 * Keeps the last view for later lives of the SKB: in a file of the data directory, like the number of its life, since
 * cores register before the journal is read. Written while the process carries on: a disk that hangs must not hang it,
 * and an older view on disk does no more harm than a crash a moment earlier.
 */
export class ViewFile {
  readonly last: AgreedView | null;
  private wanted: AgreedView | null = null;
  /** How many writes were asked for, and whether one is under way. */
  private asked = 0;
  private writing = false;
  private readonly path: string | null;

  constructor(dataDir: string | undefined) {
    this.path = dataDir === undefined ? null : join(dataDir, 'view.json');
    this.last = this.path === null ? null : readView(this.path);
  }

  keep(view: AgreedView): void {
    this.wanted = view;
    void this.write();
  }

  /** Retries a failed write once the disk works again or its folder was made again. */
  again(): void {
    void this.write();
  }

  private async write(): Promise<void> {
    this.asked += 1;
    const { path } = this;
    if (path === null || this.wanted === null || this.writing) return;
    this.writing = true;
    for (let answered = 0; answered !== this.asked;) {
      answered = this.asked;
      await replaceView(path, this.wanted);
    }
    this.writing = false;
  }
}

/** A failing disk is not reported here: the journal reports it. */
async function replaceView(path: string, view: AgreedView): Promise<void> {
  const draft = `${path}.new`;
  try {
    const file = await open(draft, 'w');
    try {
      await file.writeFile(`${JSON.stringify(view)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch {
    // Retried when the journal works again, or with the next view.
  }
}

/** Null if there is none, or it cannot be read. */
function readView(path: string): AgreedView | null {
  try {
    const view: unknown = JSON.parse(readPlainFile(path));
    if (!isRecord(view)) return null;
    const { number, cores } = view;
    return isWhole(number, 1, MOST_NUMBER) && isWhole(cores, 1, MOST_CORES) ? { number, cores } : null;
  } catch {
    return null;
  }
}
