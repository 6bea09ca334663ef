import { treeIn } from '../client/tree-answer.ts';
import { Ring } from '@mk/ui/model/ring';
import {
  type ActionArgs,
  type CoreView,
  type LogLineView,
  PAGE_VERSION,
  type PageEvent,
  type PageEventType,
} from '@mk/ui/model/page-events';
import type { ClusterClient } from '../client/cluster-client.ts';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import type { ProcessRow } from '../client/answers.ts';
import {
  capabilitiesOf,
  countersOf,
  coreViews,
  domainViewsOf,
  faultViews,
  membersOf,
  memoryOf,
  numberOf,
  processesOf,
  spacesOf,
  tripsOf,
  viewsOf,
} from './live-views.ts';
import { performAction } from './page-actions.ts';
import type { Attention, PageSource } from './page-source.ts';
import { Repeated } from './repeated.ts';

/** How often a cluster is asked while a page is open. */
const EVERY_MS = { look: 1000, trips: 3000, attended: 1500, lines: 80 } as const;
/** Lines that a new page gets first, and lines per event: a page draws no more at once. */
const LINES = { kept: 2000, atOnce: 2000 } as const;

/** What a live source needs of its cluster. */
export interface LiveCluster {
  readonly name: string;
  readonly seed: string;
  readonly machine: string;
  readonly token: string;
  /** Opens the cluster as it is now: addresses change when processes restart. */
  open(): ClusterClient;
  /** Calls `line` with every log line, kept ones first, until the signal; rejects if there are none. */
  followLogs(line: (line: LogLineView) => void, signal: AbortSignal): Promise<void>;
}

/** A running cluster as pages see it. It only asks while a page is open, and only reports changes. */
export class LiveSource implements PageSource {
  readonly token: string;
  private readonly last = new Map<PageEventType, { readonly event: PageEvent; readonly text: string }>();
  private readonly kept = new Ring<LogLineView>(LINES.kept);
  private waiting: LogLineView[] = [];
  private lost = 0;
  private tell: (event: PageEvent) => void = () => undefined;
  private attention: Attention = { what: new Set(), root: 0, plan: 'multicast' };
  private members: readonly CoreRow[] = [];
  private processes: readonly ProcessRow[] | null = null;
  private views: readonly CoreView[] = [];
  private logs: AbortController | null = null;
  private readonly looking = new Repeated(EVERY_MS.look, () => this.look());
  private readonly measuring = new Repeated(EVERY_MS.trips, () => this.lookAtTrips());
  private readonly attending = new Repeated(EVERY_MS.attended, () => this.lookAtAttended());
  private readonly writing = new Repeated(EVERY_MS.lines, () => this.tellLines());

  constructor(private readonly cluster: LiveCluster) {
    this.token = cluster.token;
  }

  opening(): readonly PageEvent[] {
    const { name, seed, machine } = this.cluster;
    const supervised = this.cluster.open().supervised;
    const hello: PageEvent = {
      type: 'hello',
      t: Date.now(),
      version: PAGE_VERSION,
      cluster: name,
      mode: 'live',
      seed,
      machine,
      supervised,
    };
    const lines = this.kept.toArray();
    const log: PageEvent[] = lines.length === 0 ? [] : [{ type: 'log', t: Date.now(), lines, lost: 0 }];
    return [hello, ...[...this.last.values()].map(({ event }) => event), ...log];
  }

  start(tell: (event: PageEvent) => void): void {
    this.tell = tell;
    for (const repeated of [this.looking, this.measuring, this.attending, this.writing]) repeated.start();
    this.logs = new AbortController();
    const { signal } = this.logs;
    this.kept.clear();
    this.cluster
      .followLogs((line) => this.takeLine(line), signal)
      .catch((error: Error) => signal.aborted || this.takeLine(noLogs(error.message)));
  }

  rest(): void {
    for (const repeated of [this.looking, this.measuring, this.attending, this.writing]) repeated.stop();
    this.logs?.abort();
    this.logs = null;
    this.waiting = [];
  }

  attend(attention: Attention): void {
    this.attention = attention;
    this.attending.now();
  }

  async act(verb: string, args: ActionArgs): Promise<string> {
    try {
      return await performAction(this.cluster.open(), verb, args);
    } finally {
      this.looking.now();
      if (verb === 'measure') this.measuring.now();
    }
  }

  private async look(): Promise<void> {
    const cluster = this.cluster.open();
    const [processes, members, rules] = await Promise.allSettled([
      processesOf(cluster),
      membersOf(cluster),
      cluster.faults(),
    ]);
    if (processes.status === 'fulfilled') this.processes = processes.value;
    if (members.status === 'fulfilled') this.members = members.value;
    const skbState = this.processes?.find(({ name }) => name === 'skb')?.state;
    const skb = skbState ?? (members.status === 'fulfilled' ? 'running' : 'silent');
    this.views = coreViews(this.members, this.processes, this.views);
    this.say({ type: 'cores', t: Date.now(), cores: this.views, skb });
    if (rules.status === 'fulfilled')
      this.say({ type: 'faults', t: Date.now(), faults: faultViews(rules.value, this.processes) });
    const refused = [processes, members].flatMap((asked) =>
      asked.status === 'rejected' ? [String(asked.reason)] : [],
    );
    this.say({ type: 'trouble', t: Date.now(), text: refused[0]?.replace(/^\w*Error: /, '') ?? null });
    await this.lookAtCounters();
  }

  private async lookAtCounters(): Promise<void> {
    const running = new Set(this.views.filter(({ state }) => state === 'running').map(({ core }) => core));
    const known = this.processes?.map(({ name, address }) => ({ core: numberOf(name), address })) ?? this.members;
    const cores = known.flatMap(({ core, address }) =>
      typeof core === 'number' && running.has(core) && address !== '' ? [{ core, address }] : [],
    );
    if (cores.length > 0)
      this.say({ type: 'counters', t: Date.now(), cores: await countersOf(cores, this.cluster.open().access) });
  }

  private async lookAtTrips(): Promise<void> {
    this.say({ type: 'links', t: Date.now(), trips: await tripsOf(this.cluster.open()) });
  }

  private async lookAtAttended(): Promise<void> {
    const { what, root, plan } = this.attention;
    if (what.size === 0) return;
    const cluster = this.cluster.open();
    const running = this.views.filter(({ state }) => state === 'running').map(({ core }) => core);
    await Promise.allSettled([
      what.has('tree') && this.lookAtTree(cluster, root, plan),
      what.has('capabilities') &&
        capabilitiesOf(cluster, running).then((found) => this.say({ type: 'capabilities', t: Date.now(), ...found })),
      what.has('memory') &&
        memoryOf(cluster, running).then((rows) => this.say({ type: 'memory', t: Date.now(), rows })),
      what.has('views') && viewsOf(cluster, running, Date.now()).then((event) => this.say(event)),
      what.has('spaces') &&
        spacesOf(cluster, running).then((found) => this.say({ type: 'spaces', t: Date.now(), ...found })),
      what.has('domains') && domainViewsOf(cluster).then((rows) => this.say({ type: 'domains', t: Date.now(), rows })),
    ]);
  }

  private async lookAtTree(cluster: ClusterClient, root: number, plan: string): Promise<void> {
    const tree = treeIn(await cluster.skb('tree', { root, kind: plan, form: 'json' }, { timeoutMs: 2000 }));
    this.say({ type: 'tree', t: Date.now(), root, plan, tree });
  }

  private takeLine(line: LogLineView): void {
    this.kept.add(line);
    this.waiting.push(line);
    if (this.waiting.length <= LINES.atOnce) return;
    this.waiting.shift();
    this.lost += 1;
  }

  private tellLines(): Promise<void> {
    if (this.waiting.length > 0) this.tell({ type: 'log', t: Date.now(), lines: this.waiting, lost: this.lost });
    this.waiting = [];
    this.lost = 0;
    return Promise.resolve();
  }

  /** Reports what is new, and counters always, since rates depend on their times. */
  private say(event: PageEvent): void {
    const text = JSON.stringify({ ...event, t: 0 });
    if (event.type !== 'counters' && this.last.get(event.type)?.text === text) return;
    this.last.set(event.type, { event, text });
    this.tell(event);
  }
}

/** Without kept logs the page shows no operations either: the log says why. */
function noLogs(text: string): LogLineView {
  return { time: Date.now(), level: 'warn', event: 'no_logs', core: 'launcher', text };
}
