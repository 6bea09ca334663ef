import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { samplesOf } from '../../packages/launcher/src/client/merge-metrics.ts';
import { ClusterPlace, type ReadyMessage, type Running, until } from './running-cluster.ts';

/*
 * What every process says of itself while peers die and come back, links are cut and reset, a rogue is caught, the SKB is
 * killed, and programs and clients leave: a counter falls only with a new life of its process, no counter or family is
 * taken back, and all values are numbers of 0 and more.
 */
const place = new ClusterPlace();
let launcher: Running;
let watch: MetricsWatch;

beforeAll(async () => {
  ({ launcher } = await place.boot('--cores', '4', '--lease', '5s'));
  watch = new MetricsWatch();
});
afterAll(async () => {
  await watch.stop();
  expect(await place.end(launcher)).toEqual({ status: 0, left: [] });
});

/** Series of what may end before its process: a dispatcher, a rule. They may go; they must not come back lower. */
const ENDS = /^mk_(dispatcher_(run_seconds|turns|calls)|rule_frames)_total/;

interface Life {
  readonly families: Set<string>;
  /** The highest value of each counter, by its name and labels. */
  readonly counters: Map<string, number>;
}

/** Scrapes all processes over and over, and notes what no scraper should see. */
class MetricsWatch {
  readonly faults: string[] = [];
  scrapes = 0;
  private readonly lives = new Map<string, Life>();
  private stopped = false;
  private readonly over = this.run();

  stop(): Promise<void> {
    this.stopped = true;
    return this.over;
  }

  /** The sum of a counter over all processes, in their present lives. */
  sum(name: string): number {
    let sum = 0;
    for (const { counters } of this.lives.values())
      for (const [series, value] of counters) if (series.startsWith(`${name}{`)) sum += value;
    return sum;
  }

  /** After two more scrapes of everybody. */
  async twice(): Promise<void> {
    const { scrapes } = this;
    await until('two more scrapes', () => this.scrapes >= scrapes + 2);
  }

  private async run(): Promise<void> {
    await Promise.resolve();
    while (!this.stopped) {
      const processes = (place.record() as ReadyMessage | null)?.processes ?? [];
      await Promise.all(processes.map((process) => this.scrape(process)));
      this.scrapes += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  private async scrape({ name, pid, address }: ReadyMessage['processes'][number]): Promise<void> {
    // It may end at any moment of its answer.
    const page = await fetch(`http://${address}/metrics`)
      .then((answer) => answer.text())
      .catch(() => null);
    // Between a process and its next life another may have its port.
    const isStill = (place.record() as ReadyMessage | null)?.processes.some((row) => row.pid === pid) ?? false;
    if (page === null || !isStill) return;
    const key = `${name} (pid ${pid})`;
    const life = this.lives.get(key) ?? { families: new Set(), counters: new Map() };
    this.lives.set(key, life);
    this.read(key, page, life);
  }

  private read(who: string, page: string, { families, counters }: Life): void {
    const types = new Map([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
    for (const family of families) if (!types.has(family)) this.faults.push(`${who}: ${family} is gone`);
    types.forEach((_type, family) => families.add(family));
    const seen = new Set<string>();
    for (const { name, labels, value } of samplesOf(page)) {
      const series = `${name}${JSON.stringify(labels)}`;
      if (seen.has(series)) this.faults.push(`${who}: ${series} twice`);
      seen.add(series);
      if (value === null || value < 0) this.faults.push(`${who}: ${series} is ${value}`);
      const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
      if (types.get(family) === 'gauge') continue;
      if (!types.has(family)) this.faults.push(`${who}: ${series} is of no family`);
      const before = counters.get(series) ?? 0;
      if (value! < before) this.faults.push(`${who}: ${series} fell from ${before} to ${value}`);
      counters.set(series, Math.max(before, value!));
    }
    for (const series of counters.keys())
      if (!seen.has(series) && !ENDS.test(series)) this.faults.push(`${who}: ${series} is gone`);
  }
}

/** undefined while it does not run. */
function pidOf(name: string): number | undefined {
  return place.record()!.processes.find((process) => process.name === name)?.pid;
}

function isUp(core: number): Promise<boolean> {
  return place.mkctl('ping', '0', String(core), '--count', '1').then(({ status }) => status === 0);
}

/** What happens to the cluster, and the counter that must have moved by it. */
const EVENTS: readonly (readonly [what: string, moved: string, act: () => Promise<unknown>])[] = [
  [
    'programs run and their dispatchers end',
    'mk_dispatcher_turns_total',
    async () => {
      for (let run = 0; run < 2; run++) {
        expect(await place.mkctl('run', 'ring', '--on', '0-3', '--rounds', '500')).toMatchObject({ status: 0 });
        expect(await place.mkctl('run', 'memory-basics', '--on', '1')).toBeDefined();
      }
    },
  ],
  [
    'a link is reset under traffic, cut, opened, reset again by a rule of the same name',
    'mk_rule_frames_total',
    async () => {
      for (let time = 0; time < 3; time++) {
        await place.ask('link', '0', '1', '--reset', '50ms', '--loss', '5%');
        await place.ask('bench', 'flood', '0', '1', '--count', '5000');
        await watch.twice();
        await place.ask('heal');
        await place.ask('partition', '0', '2', '--for', '300ms');
        await watch.twice();
      }
    },
  ],
  [
    'a core is killed and reaped, and comes back',
    'mk_view_lost_total',
    async () => {
      await place.ask('bench', 'flood', '0', '3', '--count', '5000');
      await watch.twice();
      process.kill(pidOf('core-3')!, 'SIGKILL');
      await until('core 3 is gone', async () => !(await isUp(3)));
      await watch.twice();
      await place.ask('restart', '3');
      await until('core 3 is back', () => isUp(3));
    },
  ],
  [
    'the SKB is killed and back',
    'mk_links_opened_total',
    async () => {
      process.kill(pidOf('skb')!, 'SIGKILL');
      await until('the SKB has ended', () => pidOf('skb') === undefined);
      await watch.twice();
      await place.ask('restart', 'skb');
      await until('another SKB answers', async () => (await place.mkctl('skb', 'true')).status === 0);
    },
  ],
  [
    'a client records the page, clients of the SKB come and go',
    'mk_messages_delivered_total',
    async () => {
      const file = `${place.state}/run.ndjson`;
      expect(await place.mkctl('ui', '--record', file, '--for', '1s')).toMatchObject({ status: 0 });
      expect(await place.mkctl('oct', 'lock', 'L', '--for', '1ms')).toMatchObject({ status: 0 });
    },
  ],
  [
    'a rogue offends, is caught and put out, and its core begins anew',
    'mk_peer_offences_total',
    async () => {
      await place.ask('rogue', '2', '--forge', '--lie', '--for', '3s');
      await until('its offences are counted', () => watch.sum('mk_peer_offences_total') > 0);
      await place.ask('rogue', '2', '--garbage', '--for', '2s').catch(() => undefined);
      await watch.twice();
      await place.mkctl('restart', '2');
      await until('core 2 is back', () => isUp(2));
    },
  ],
];

test.each(EVENTS)('no counter falls and none is taken back when %s', async (_what, moved, act) => {
  await watch.twice();
  await act();
  await watch.twice();
  expect(watch.faults).toEqual([]);
  expect(watch.sum(moved)).toBeGreaterThan(0);
});
