/**
 * A program that does at random what programs can do to memory, on all cores at once: allocate near and far, retype,
 * map, read and write, protect, unmap, revoke, delete, steal what other cores brought, span, migrate, hand frames to
 * children, exit in the middle of it. Cores die and are cut off under it: errors are expected, wrong bytes are not.
 * Arguments: `CORES DEPTH`; a child also gets the tag of the frame that it is given.
 *
 * Every frame has a tag, and nobody writes anything else into it: a program that reads another value saw memory that is
 * not its own.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { GIVEN_UP } from './chaos-end.ts';

/** Two thirds of what a core brings: taking it twice means stealing. */
const MOST_OF_A_CORE = 40 << 20;
const PAGES = 3;
/** Errors that prove a mistake of the program itself, or wrong memory. */
const FAULTS = ['BAD_SYSTEM_CALL', 'ASSERTION_FAILED', 'INTERNAL'];

interface Use {
  readonly address: number;
  readonly tag: number;
  readonly how: 'read' | 'write' | 'add' | 'view';
  readonly hops: readonly number[];
}

export const main = program(
  {
    name: 'memory-chaos',
    threads: {
      use: async (mk, use: Use) => {
        await tried(async () => await access(mk, use));
        const [next, ...hops] = use.hops;
        return next === undefined ? null : mk.moveTo(next, 'use', { ...use, hops });
      },
      fail: () => {
        throw new Error(GIVEN_UP);
      },
      /** An access after the mapping was taken away, and its outcome. */
      late: async (mk, address: number) => {
        try {
          return await mk.memory.load32(address);
        } catch (error) {
          if (isMkError(error)) return error.name;
          throw error;
        }
      },
    },
  },
  async (mk) => {
    const [cores = '1', depth = '0', tag] = mk.args;
    const chaos = new Chaos(mk, Number(cores), Number(depth));
    const [given] = mk.given;
    if (given !== undefined && tag !== undefined) await chaos.hold(given, Number(tag));
    for (let acts = 6 + mk.randomInt(14); acts > 0; acts -= 1) {
      await mk.sleep(mk.randomInt(mk.env['RESTLESS'] === '1' ? 2_000_000 : 150_000_000));
      await chaos.act();
    }
    mk.exit(3);
  },
);

interface Piece {
  readonly frame: number;
  readonly tag: number;
  /** The RAM that it was made of; null: it was given, or its RAM is gone. */
  readonly ram: number | null;
}

interface Mapped {
  readonly address: number;
  readonly bytes: number;
  readonly tag: number;
}

class Chaos {
  private readonly spanned: number[];
  private readonly pieces: Piece[] = [];
  private readonly mapped: Mapped[] = [];
  private readonly held: number[] = [];
  private readonly acts: readonly (() => Promise<unknown>)[] = [
    () => this.allocate(),
    () => this.allocate(),
    () => this.mapOne(),
    () => this.mapOne(),
    () => this.use(),
    () => this.use(),
    () => this.use(),
    () => this.useAtOnce(),
    () => this.protect(),
    () => this.unmap(),
    () => this.revoke(),
    () => this.drop(),
    () => this.steal(),
    () => this.span(),
    () => this.child(),
    () => this.leave(),
  ];

  constructor(
    private readonly mk: Mk,
    private readonly cores: number,
    private readonly depth: number,
  ) {
    this.spanned = [mk.self.core];
  }

  async act(): Promise<void> {
    await tried(this.any(this.acts)!);
  }

  /** A frame that another program gave this one. */
  async hold(frame: number, tag: number): Promise<void> {
    this.pieces.push({ frame, tag, ram: null });
    await tried(() => this.map({ frame, tag, ram: null }));
    await tried(() => this.use());
  }

  private any<T>(list: readonly T[]): T | undefined {
    return list[this.mk.randomInt(Math.max(1, list.length))];
  }

  private async allocate(): Promise<void> {
    const { capabilities, memory } = this.mk;
    const near = this.mk.randomInt(this.cores);
    const bytes = PAGE_BYTES * (1 + this.mk.randomInt(PAGES));
    if (this.mk.randomInt(3) === 0) {
      this.pieces.push({ frame: await memory.allocFrame(bytes, { near }), tag: this.newTag(), ram: null });
      return;
    }
    const ram = await capabilities.alloc(2 * bytes, { near });
    const frames = await capabilities.retype(ram, 'Frame', { bytes, count: 2 });
    for (const frame of frames) this.pieces.push({ frame, tag: this.newTag(), ram });
  }

  private newTag(): number {
    return 1 + this.mk.randomInt(2 ** 30);
  }

  private async mapOne(): Promise<void> {
    const piece = this.any(this.pieces);
    if (piece !== undefined) await this.map(piece);
  }

  private async map({ frame, tag }: Piece): Promise<void> {
    const rights = this.mk.randomInt(4) === 0 ? { rights: 1 } : {};
    const { address, bytes } = await this.mk.memory.map(frame, rights);
    this.mapped.push({ address, bytes, tag });
  }

  /** A thread on some core uses a page, and perhaps goes on to others; joined or left alone. */
  private async use(): Promise<void> {
    const region = this.any(this.mapped);
    if (region === undefined) return;
    const hops = Array.from({ length: this.mk.randomInt(3) }, () => this.any(this.spanned)!);
    const thread = this.mk.spawnOn(this.any(this.spanned)!, 'use', { ...this.useOf(region), hops });
    if (this.mk.randomInt(2) === 0) await thread.join();
    else void thread.join().catch((error: unknown) => known(error));
  }

  /** The same page from all sides at once. */
  private async useAtOnce(): Promise<void> {
    const region = this.any(this.mapped);
    if (region === undefined) return;
    const threads = this.spanned.map((core) => this.mk.spawnOn(core, 'use', { ...this.useOf(region), hops: [] }));
    if (this.mk.randomInt(3) === 0) void this.unmap().catch((error: unknown) => known(error));
    for (const thread of threads) await tried(() => thread.join());
  }

  private useOf({ address, bytes, tag }: Mapped): Omit<Use, 'hops'> {
    const how = this.any(['read', 'read', 'write', 'write', 'add', 'view'] as const)!;
    return { address: address + 8 * this.mk.randomInt(bytes / 8), tag, how };
  }

  private async protect(): Promise<void> {
    const region = this.any(this.mapped);
    if (region !== undefined) await this.mk.memory.protect(region, 1 + 2 * this.mk.randomInt(2));
  }

  /** Once an unmap has returned nobody reads through it, on any core (V2, M6). */
  private async unmap(): Promise<void> {
    if (this.mapped.length === 0) return;
    const [region] = this.mapped.splice(this.mk.randomInt(this.mapped.length), 1);
    const { address } = region!;
    await this.mk.memory.unmap(region!);
    for (const core of this.spanned) {
      const came = await tried(() => this.mk.spawnOn(core, 'late', address).join());
      this.mk.assert(typeof came !== 'number', `core ${core} read ${String(came)} after unmap had returned`);
    }
  }

  /** Everything made of a piece of memory is gone; its next object is zeroed. */
  private async revoke(): Promise<void> {
    const ram = this.any(this.pieces.filter((piece) => piece.ram !== null))?.ram ?? null;
    if (ram === null) return;
    for (let i = this.pieces.length - 1; i >= 0; i -= 1) if (this.pieces[i]!.ram === ram) this.pieces.splice(i, 1);
    await this.mk.capabilities.revoke(ram);
    const { bytes } = await this.mk.capabilities.identify(ram);
    const [frame] = await this.mk.capabilities.retype(ram, 'Frame', { bytes });
    const piece = { frame: frame!, tag: this.newTag(), ram };
    this.pieces.push(piece);
    await this.map(piece);
  }

  private async drop(): Promise<void> {
    if (this.held.length > 0 && this.mk.randomInt(2) === 0) return this.mk.capabilities.delete(this.held.pop()!);
    if (this.pieces.length === 0) return;
    const [piece] = this.pieces.splice(this.mk.randomInt(this.pieces.length), 1);
    await this.mk.capabilities.delete(piece!.frame);
  }

  private async steal(): Promise<void> {
    const near = this.mk.randomInt(this.cores);
    this.held.push(await this.mk.capabilities.alloc(MOST_OF_A_CORE >> this.mk.randomInt(6), { near }));
  }

  private async span(): Promise<void> {
    const core = this.mk.randomInt(this.cores);
    await this.mk.span(core);
    this.spanned.push(core);
  }

  private async child(): Promise<void> {
    if (this.depth >= 2) return;
    const piece = this.any(this.pieces);
    const shared =
      piece === undefined
        ? { words: [], capabilities: [] }
        : { words: [String(piece.tag)], capabilities: [piece.frame] };
    const child = await this.mk.processes.spawn(null, {
      core: this.mk.randomInt(this.cores),
      args: [String(this.cores), String(this.depth + 1), ...shared.words],
      capabilities: shared.capabilities,
    });
    if (this.mk.randomInt(3) === 0) await child.kill();
    else if (this.mk.randomInt(2) === 0) await this.mk.sleep(1 + this.mk.randomInt(100_000_000));
  }

  private async giveUp(): Promise<void> {
    void this.useAtOnce().catch((error: unknown) => known(error));
    if (this.mk.randomInt(2) === 0) throw new Error(GIVEN_UP);
    this.mk.spawnOn(this.any(this.spanned)!, 'fail', null);
  }

  private async leave(): Promise<void> {
    if (this.mk.randomInt(4) === 0) this.mk.exit(4);
    // With work of other threads under way, on this core or another.
    if (this.mk.env['RESTLESS'] === '1') await this.giveUp();
    await this.mk.sleep(1);
  }
}

async function access(mk: Mk, { address, tag, how }: Use): Promise<void> {
  const { memory } = mk;
  const word = address - (address % 8);
  if (how === 'write') await memory.store32(word, tag);
  else if (how === 'add')
    check(mk, Number(BigInt.asUintN(32, await memory.compareAndSwap(word, 0n, BigInt(tag)))), tag);
  else if (how === 'read') check(mk, await memory.load32(word), tag);
  else {
    const view = await memory.view(word, 8, 'read');
    check(mk, new DataView(view.buffer, view.byteOffset, 8).getUint32(0, true), tag);
    memory.release();
  }
}

function check(mk: Mk, value: number, tag: number): void {
  mk.assert(value === 0 || value === tag, `read ${value} where there is 0 or ${tag}`);
}

async function tried<T>(work: () => Promise<T> | T): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    return known(error);
  }
}

/** Accepts an error that faults of the machine, or another program, explain. */
function known(error: unknown): null {
  if (!isMkError(error) || FAULTS.includes(error.name)) throw error;
  return null;
}
