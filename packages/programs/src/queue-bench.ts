/**
 * Drives a server on another core past saturation: latency and queue length against offered load, in a closed loop
 * (clients with one request under way each) and an open one (requests come on time, however many still wait), with
 * back-pressure (requests that find the channel full are refused) and without (they wait). `--work N` microseconds per
 * request, `--bytes N` per request, `--milliseconds N` per point. `--rows` prints a JSON document per point.
 */
import { defineInterface, message, rpc } from '@mk/libmk/interface/interface';
import { bytes, u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, given, tell, whole, tool } from './common/arguments.ts';
import { Copies } from './common/copies.ts';
import { endWithParent } from './common/parent.ts';
import { known } from './common/known.ts';
import { duration } from './common/times.ts';

const MOST_BYTES = 16 << 10;
/** Offered load in parts of the capacity, and clients of the closed loop. */
const LOADS = [0.25, 0.5, 0.75, 0.9, 1, 1.25, 1.5, 2];
const CLIENTS = [1, 2, 4, 8, 16, 32];
/** With back-pressure this many requests fit into the channel. */
const WINDOW_REQUESTS = 16;
/** How often due requests are sent. */
const LEAST_TICK_NS = 1e6;
/** Iterations timed to learn how long one takes. */
const SAMPLE = 2_000_000;

const Queue = defineInterface('queue', {
  serve: rpc({ in: { data: bytes(MOST_BYTES) }, out: { value: u32 } }),
  spin: rpc({ in: { iterations: u32 }, out: { value: u32 } }),
  begin: rpc({ in: { iterations: u32, ns: u32 } }),
  stop: message({}),
});

/** A channel to the server; `refuses`: a request that finds it full is not sent. */
interface Way {
  readonly refuses: boolean;
  isFull(): boolean;
  serve(): Promise<unknown>;
}

/** One point: the offered load and its results. Latencies count from when a request was due. */
export interface QueueRow {
  readonly loop: 'open' | 'closed';
  readonly backpressure: boolean;
  /** Clients of a closed loop; 0: an open one. */
  readonly clients: number;
  readonly offered_per_second: number;
  readonly done_per_second: number;
  readonly refused: number;
  readonly p50_ns: number;
  readonly p99_ns: number;
  readonly max_ns: number;
  /** Requests due and unanswered at the moment each request was due: mean and maximum. */
  readonly queue_mean: number;
  readonly queue_most: number;
}

export const main = tool({ name: 'queue-bench', interfaces: [Queue] }, async (mk) => {
  if (mk.args[0] === 'server') return server(mk);
  const [, where] = coresOf(mk);
  if (where === undefined) {
    mk.console.error('queue-bench needs at least 2 cores');
    return 2;
  }
  const size = whole(mk, 'bytes', 1024, 1, MOST_BYTES);
  const workNs = 1000 * whole(mk, 'work', 500, 10, 1_000_000);
  const forNs = 1e6 * whole(mk, 'milliseconds', 1000, 20, 600_000);
  const servers = await Copies.begin(mk, 'server', [where]);
  const signal = servers.anyGone;
  const name = `queue.${mk.self.domain}`;
  const plain = await mk.bind(name, Queue, { timeoutNs: 600e9, signal });
  const windowBytes = WINDOW_REQUESTS * (size + 64);
  const bounded = await mk.bind(name, Queue, { timeoutNs: 600e9, windowBytes, signal });
  await plain.begin({ iterations: await iterationsFor(mk, plain, workNs), ns: workNs });
  const data = new Uint8Array(size);
  const waiting: Way = { refuses: false, isFull: () => false, serve: () => plain.serve({ data }) };
  const refusing: Way = { refuses: true, isFull: () => !bounded.$canSend, serve: () => bounded.serve({ data }) };
  const rows: QueueRow[] = [];
  const note = (row: QueueRow): void => {
    rows.push(row);
    if (given(mk, 'rows')) mk.console.log(JSON.stringify(row));
  };
  for (const clients of CLIENTS) note(await closedLoop(mk, waiting, clients, forNs));
  const capacity = Math.max(...rows.map((row) => row.done_per_second));
  for (const way of [refusing, waiting])
    for (const load of LOADS) note(await openLoop(mk, way, load * capacity, forNs));
  await plain.stop({});
  await servers.end();
  if (!given(mk, 'rows')) tell(mk, rows.map(describe), rows);
  return 0;
});

/** Serves one request after the other, each for its time. */
async function server(mk: Mk): Promise<number> {
  const [, home = ''] = mk.args;
  endWithParent(mk, home);
  const over = mk.threads.semaphore(0, 'the end');
  let [iterations, ns] = [0, 0];
  const handlers = {
    serve: () => {
      mk.work(ns);
      return { value: burn(iterations) };
    },
    // The computed value is reported, since compilers remove a loop whose value nobody uses.
    spin: ({ iterations: count }: { readonly iterations: number }) => ({ value: burn(count) }),
    begin: (asked: { readonly iterations: number; readonly ns: number }) => {
      ({ iterations, ns } = asked);
      return {};
    },
    stop: () => over.post(),
  };
  const service = await mk.export(`queue.${home}`, Queue, handlers, { concurrency: 1 });
  await over.wait();
  await service.close();
  return 0;
}

/** How many iterations of a loop take so long on that core; none on virtual time, where `mk.work` sets the duration. */
async function iterationsFor(
  mk: Mk,
  server: { spin(input: { readonly iterations: number }): Promise<unknown> },
  ns: number,
): Promise<number> {
  const timed = async (iterations: number): Promise<number> => {
    const begun = mk.now();
    await server.spin({ iterations });
    return mk.now() - begun;
  };
  for (let n = 0; n < 3; n += 1) await timed(SAMPLE);
  // The shortest of several is the loop's own time; the others also waited for a CPU.
  const least = async (iterations: number): Promise<number> => {
    let ns = Infinity;
    for (let n = 0; n < 6; n += 1) ns = Math.min(ns, await timed(iterations));
    return ns;
  };
  // On virtual time, computing takes no time.
  if ((await least(SAMPLE / 10)) === (await least(1))) return 0;
  await least(SAMPLE);
  const each = ((await least(3 * SAMPLE)) - (await least(SAMPLE))) / (2 * SAMPLE);
  return each > 0.01 ? Math.round(ns / each) : 0;
}

function burn(iterations: number): number {
  let value = 1;
  for (let n = 0; n < iterations; n += 1) value = (Math.imul(value, 1_664_525) + 1_013_904_223) | 0;
  return value >>> 0;
}

/** What was due, answered and refused, and when. */
class Count {
  readonly latencies: number[] = [];
  refused = 0;
  under = 0;
  private most = 0;
  private sum = 0;
  private due = 0;
  private readonly begunNs: number;
  private lastNs = 0;

  constructor(private readonly mk: Mk) {
    this.begunNs = mk.now();
  }

  /** Sends a request that was due at that time; resolves when it has ended either way. */
  async one(way: Way, dueNs: number): Promise<void> {
    this.due += 1;
    if (way.isFull()) {
      this.refused += 1;
      this.sum += this.under;
      return;
    }
    this.under += 1;
    this.most = Math.max(this.most, this.under);
    this.sum += this.under;
    await way.serve();
    this.under -= 1;
    const now = this.mk.now();
    this.latencies.push(now - dueNs);
    this.lastNs = now;
  }

  row(forNs: number, about: Pick<QueueRow, 'loop' | 'backpressure' | 'clients'>): QueueRow {
    const sorted = this.latencies.sort((a, b) => a - b);
    const at = (part: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0);
    return {
      ...about,
      offered_per_second: Math.round((1e9 * this.due) / forNs),
      // Up to the last answer: requests that waited beyond the end were served, too.
      done_per_second: Math.round((1e9 * sorted.length) / Math.max(forNs, this.lastNs - this.begunNs)),
      refused: this.refused,
      p50_ns: at(0.5),
      p99_ns: at(0.99),
      max_ns: at(1),
      queue_mean: Number((this.sum / Math.max(1, this.due)).toFixed(1)),
      queue_most: this.most,
    };
  }
}

/** Each client asks again when it has its answer: more clients mean a longer queue, and no more work done. */
async function closedLoop(mk: Mk, way: Way, clients: number, forNs: number): Promise<QueueRow> {
  const endNs = mk.now() + forNs;
  const count = new Count(mk);
  const client = async (): Promise<void> => {
    while (mk.now() < endNs) await count.one(way, mk.now());
  };
  const threads = Array.from({ length: clients }, (_, n) => mk.threads.spawn(`client ${n}`, client));
  for (const thread of threads) await thread.join();
  return count.row(forNs, { loop: 'closed', backpressure: false, clients });
}

/** Requests come on time, whether or not earlier ones were answered; the last are waited for. */
async function openLoop(mk: Mk, way: Way, perSecond: number, forNs: number): Promise<QueueRow> {
  const begunNs = mk.now();
  const count = new Count(mk);
  const total = Math.max(1, Math.floor((perSecond * forNs) / 1e9));
  const tickNs = Math.max(LEAST_TICK_NS, 0.5e9 / perSecond);
  const ends: Promise<void>[] = [];
  for (let sent = 0; sent < total;) {
    const wanted = Math.min(total, Math.floor(((mk.now() - begunNs) * perSecond) / 1e9));
    for (; sent < wanted; sent += 1) ends.push(count.one(way, begunNs + (sent * 1e9) / perSecond));
    if (sent < total) await mk.sleep(tickNs);
  }
  await Promise.all(ends);
  return count.row(forNs, { loop: 'open', backpressure: way.refuses, clients: 0 });
}

function describe(row: QueueRow): string {
  const way =
    row.loop === 'closed' ? `closed, ${row.clients} clients` : `open, ${row.backpressure ? 'refusing' : 'waiting'}`;
  const times = `median ${duration(known(row.p50_ns))}, 99 % ${duration(row.p99_ns)}`;
  return `${way}: ${row.offered_per_second}/s offered, ${row.done_per_second}/s done, ${row.refused} refused; ${times}; queue ${row.queue_mean}, at most ${row.queue_most}`;
}
