import type { Prng } from '@mk/monitor-proto/prng';
import { Directory } from '@mk/node-kernel/memory/coherence/directory';
import type { AtomicRequest, PageMessage, PageState } from '@mk/node-kernel/memory/coherence/messages';
import { PageCache } from '@mk/node-kernel/memory/coherence/page-cache';

const PAGE_BYTES = 64;

interface InFlight {
  readonly from: number;
  readonly to: number;
  readonly message: PageMessage;
}

export interface Node {
  readonly core: number;
  readonly directory: Directory;
  readonly cache: PageCache;
  readonly bytes: Map<number, Uint8Array>;
  alive: boolean;
}

/** Some cores, each with a directory and a cache, and a network that is FIFO between two cores and randomly slow. */
export class CoherenceWorld {
  readonly nodes: Node[] = [];
  /** Messages in flight, per ordered pair. */
  readonly links = new Map<string, InFlight[]>();
  readonly quiescing: (() => void)[] = [];
  /** The last value written, by page: every access is 8 bytes at offset 0. */
  readonly model = new Map<number, bigint>();
  readonly broken: string[] = [];
  /** Whether dispatchers quiesce at once, when `quiescing` is called, or by chance. */
  quiet: 'at once' | 'later' | 'by chance' = 'by chance';
  /** Cores that no other one has met. */
  readonly unmet = new Set<number>();
  lost = 0;
  done = 0;

  constructor(
    readonly cores: number,
    readonly pages: number,
    readonly prng: Prng,
  ) {
    for (let core = 0; core < cores; core += 1) this.nodes.push(this.boot(core));
  }

  homeOf = (page: number): number => page % this.cores;

  boot(core: number): Node {
    const bytes = new Map<number, Uint8Array>();
    const bytesOf = (page: number): Uint8Array => {
      if (!bytes.has(page)) bytes.set(page, new Uint8Array(PAGE_BYTES));
      return bytes.get(page)!;
    };
    const send = (to: number, message: PageMessage): void => this.send(core, to, message);
    const directory = new Directory({
      self: core,
      send,
      invalidate: (cores, message) => cores.forEach((to) => send(to, message)),
      bytesOf,
      lost: () => undefined,
      forgotten: (page) => void bytes.delete(page),
    });
    const cache = new PageCache({
      self: core,
      homeOf: this.homeOf,
      isMet: (other) => !this.unmet.has(other),
      send,
      bytesOf,
      setState: () => undefined,
      quiesce: (_page, done) => (this.isLate() ? this.quiescing.push(done) : done()),
    });
    return { core, directory, cache, bytes, alive: true };
  }

  private isLate(): boolean {
    return this.quiet === 'later' || (this.quiet === 'by chance' && this.prng.nextInt(3) === 0);
  }

  send(from: number, to: number, message: PageMessage): void {
    if (!this.nodes[to]?.alive || !this.nodes[from]?.alive) return;
    const key = `${from}>${to}`;
    if (!this.links.has(key)) this.links.set(key, []);
    this.links.get(key)!.push({ from, to, message });
  }

  /** Delivers the first message of one link, or ends one quiesce. False if nothing is in flight. */
  step(): boolean {
    const busy = [...this.links.values()].filter((queue) => queue.length > 0);
    const choices = busy.length + this.quiescing.length;
    if (choices === 0) return false;
    const choice = this.prng.nextInt(choices);
    if (choice < busy.length) {
      const { from, to, message } = busy[choice]!.shift()!;
      const node = this.nodes[to]!;
      node.directory.receive(from, message);
      node.cache.receive(from, message);
    } else this.quiescing.splice(choice - busy.length, 1)[0]!();
    this.check();
    return true;
  }

  read(core: number, page: number): void {
    const node = this.nodes[core]!;
    node.cache.access(page, 'read', (error) => {
      this.done += 1;
      if (error !== null) return this.ended(page, error);
      const value = valueOf(node.bytes.get(page));
      if (value !== (this.model.get(page) ?? 0n))
        this.broken.push(`M2: core ${core} read ${value} of page ${page}; the last write was ${this.model.get(page)}`);
    });
  }

  write(core: number, page: number, value: bigint): void {
    const node = this.nodes[core]!;
    node.cache.access(page, 'write', (error) => {
      this.done += 1;
      if (error !== null) return this.ended(page, error);
      if (!node.bytes.has(page)) node.bytes.set(page, new Uint8Array(PAGE_BYTES));
      new DataView(node.bytes.get(page)!.buffer).setBigUint64(0, value, true);
      this.model.set(page, value);
    });
  }

  atomic(core: number, page: number, atomic: AtomicRequest): void {
    this.nodes[core]!.cache.atomic(page, atomic, (error) => {
      this.done += 1;
      if (error !== null) this.ended(page, error);
    });
  }

  snapshot(core: number, page: number): void {
    this.nodes[core]!.cache.snapshot(page, (error, bytes) => {
      this.done += 1;
      if (error !== null) return this.ended(page, error);
      if (bytes.length !== PAGE_BYTES) this.broken.push(`a snapshot of ${bytes.length} bytes`);
    });
  }

  crash(core: number): void {
    this.nodes[core]!.alive = false;
    for (const [key, queue] of this.links) if (key.endsWith(`>${core}`)) queue.length = 0;
  }

  /** All cores learn of the death, in any order, after everything that the dead core had sent. */
  declareGone(core: number): void {
    for (const node of this.nodes) {
      if (!node.alive) continue;
      const queue = this.links.get(`${core}>${node.core}`) ?? [];
      for (const { from, message } of queue.splice(0)) {
        node.directory.receive(from, message);
        node.cache.receive(from, message);
      }
      node.directory.peerGone(core);
      node.cache.homeGone(core);
    }
    this.check();
  }

  /** Checks M1 over all cores, including grants in flight; M3; and each part's own assertions. */
  check(): void {
    for (let page = 0; page < this.pages; page += 1) this.checkPage(page);
    for (const { alive, directory, cache } of this.nodes)
      if (alive) this.broken.push(...directory.invariants(), ...cache.invariants());
  }

  private checkPage(page: number): void {
    const home = this.nodes[this.homeOf(page)]!;
    const states = this.nodes
      .filter(({ alive }) => alive)
      .map(({ core, cache }) => [core, cache.stateOf(page)] as const);
    const grants = [...this.links.values()]
      .flat()
      .filter(({ message: m }) => m.type === 'page_grant' && m.page === page);
    const granted = grants.map(({ to, message }) => [to, (message as { state: PageState }).state] as const);
    const all = [...states, ...granted];
    const writers = new Set(all.filter(([, state]) => state === 'modified').map(([core]) => core));
    const readers = new Set(
      all.filter(([core, state]) => state === 'shared' && !writers.has(core)).map(([core]) => core),
    );
    if (writers.size > 1 || (writers.size === 1 && readers.size > 0))
      this.broken.push(`M1: page ${page} has writers ${[...writers]} and readers ${[...readers]}`);
    const report = home.alive ? home.directory.report(page) : null;
    for (const core of [...writers, ...readers])
      if (home.alive && report?.owner !== core && !report?.sharers.includes(core))
        this.broken.push(`M3: the directory does not name core ${core}, which holds page ${page}`);
  }

  private ended(page: number, error: string): void {
    this.lost += 1;
    const home = this.nodes[this.homeOf(page)]!;
    if (error === 'HOME_LOST' ? home.alive : home.directory.report(page)?.lost !== true)
      this.broken.push(`M5: ${error} for page ${page}, which is not lost`);
  }
}

function valueOf(bytes: Uint8Array | undefined): bigint {
  return bytes === undefined ? 0n : new DataView(bytes.buffer).getBigUint64(0, true);
}
