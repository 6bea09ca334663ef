import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord, isWhole } from '@mk/monitor-proto/guards';
import { readPlainFile } from '../journal/io/plain-file.ts';
import type { AgreedView } from '../registry/founding.ts';

/** Numbers of views have 32 bits. */
const MOST_NUMBER = 2 ** 32 - 1;
const MOST_CORES = 4096;

/**
 * What later lives of the SKB are to know of the last view: a file of the data directory, as its number of lives is, since
 * cores register before the journal is read. Written while the process goes on: a disk that hangs must not hang it, and an
 * older view on the disk does no harm that a crash a moment earlier would not do.
 */
export class ViewFile {
  readonly last: AgreedView | null;
  private wanted: AgreedView | null = null;
  /** How often it was asked to write, and whether it does. */
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

  /** Writes again what could not be written, when the disk works again or its folder was made anew. */
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

/** A disk that fails is no failure here: the journal speaks of it. */
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
    // Written again when the journal works again, or with the next view.
  }
}

/** Null: there is none, or it cannot be read. */
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
