import { known } from '@mk/monitor-proto/assert';
import { type Capabilities, RIGHTS } from '../capabilities/capabilities.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { PAGE_BYTES } from '../dispatcher/frame-view.ts';

/** Bytes that one entry of a table of each level covers: 512 GiB, 1 GiB, 2 MiB, 4 KiB. */
const ENTRY_BYTES = [2 ** 39, 2 ** 30, 2 ** 21, 2 ** 12] as const;
const ENTRIES = 512;
/** Page tables made at a time. */
const TABLES_AT_ONCE = 4;

export const LARGE_PAGE_BYTES = ENTRY_BYTES[2];
export type PageBytes = typeof PAGE_BYTES | typeof LARGE_PAGE_BYTES;

/** Entries of one page table that one Mapping capability fills. */
export interface MappedRun {
  readonly mapping: number;
  readonly address: number;
  readonly bytes: number;
  readonly pageBytes: number;
}

/** Which part of a frame goes where. */
export interface PlaceInFrame {
  readonly address: number;
  /** Bytes from the frame's start. */
  readonly offset: number;
  readonly bytes: number;
  readonly rights: number;
  readonly pageBytes: PageBytes;
}

/** The page tables of an address space, made of VNode capabilities on demand. */
export class PageTables {
  /** Slots of tables by level and number within the address space. */
  private readonly tables = new Map<string, Promise<number>>();
  private readonly spare: { [type: string]: number[] } = {};
  private root: Promise<number> | null = null;

  constructor(
    private readonly runtime: Runtime,
    private readonly capabilities: Capabilities,
  ) {}

  /** Enters part of a frame; all of it or nothing. */
  async enter(frame: number, { address, offset, bytes, rights, pageBytes }: PlaceInFrame): Promise<MappedRun[]> {
    const level = pageBytes === PAGE_BYTES ? 3 : 2;
    const runs: MappedRun[] = [];
    try {
      for (let at = 0; at < bytes;) {
        const entry = Math.floor((address + at) / pageBytes) % ENTRIES;
        const count = Math.min(ENTRIES - entry, (bytes - at) / pageBytes);
        const table = await this.tableAt(level, address + at);
        const mapping = await this.capabilities.map(frame, table, { entry, count, offset: offset + at, rights });
        runs.push({ mapping, address: address + at, bytes: count * pageBytes, pageBytes });
        at += count * pageBytes;
      }
    } catch (error) {
      for (const { mapping } of runs) await this.capabilities.unmap(mapping);
      throw error;
    }
    return runs;
  }

  private tableAt(level: number, address: number): Promise<number> {
    if (level === 0) return (this.root ??= this.makeRoot());
    const number = Math.floor(address / known(ENTRY_BYTES[level - 1]));
    const key = `${level}/${number}`;
    let table = this.tables.get(key);
    if (table === undefined) {
      table = this.makeTable(level, address);
      this.tables.set(key, table);
      table.catch(() => this.tables.delete(key));
    }
    return table;
  }

  private async makeTable(level: number, address: number): Promise<number> {
    const above = await this.tableAt(level - 1, address);
    const table = await this.make(`VNode_L${level}`);
    const entry = Math.floor(address / known(ENTRY_BYTES[level - 1])) % ENTRIES;
    await this.capabilities.map(table, above, { entry, count: 1, offset: 0, rights: RIGHTS.read | RIGHTS.write });
    return table;
  }

  private async makeRoot(): Promise<number> {
    const root = await this.make('VNode_L0', 1);
    await this.runtime.calls.ask('vspace_root', [{ address: root }]);
    return root;
  }

  private async make(type: string, count = TABLES_AT_ONCE): Promise<number> {
    const spare = (this.spare[type] ??= []);
    const kept = spare.pop();
    if (kept !== undefined) return kept;
    const ram = await this.capabilities.alloc(count * PAGE_BYTES);
    const made = await this.capabilities.retype(ram, type, { bytes: PAGE_BYTES, count });
    await this.capabilities.delete(ram);
    const [first, ...others] = made;
    spare.push(...others);
    return known(first);
  }
}
