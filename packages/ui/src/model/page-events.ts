/*
 * The events of the page, as JSON objects: over its WebSocket while a cluster runs, one per line in a recording. A
 * recording holds the events that a live page would receive, so that the same code shows both.
 */
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import type { LogLevel } from '@mk/monitor-proto/log-events';

/** The version of the events; a page refuses other recordings. */
export const PAGE_VERSION = 1;

/** How often an open page hears that its server is alive, whatever else is sent. */
export const BEAT_MS = 2000;

/** Milliseconds: since the epoch for a cluster, of virtual time for a simulated run. */
export type Millis = number;

/** A core as the page draws it. */
export interface CoreView {
  readonly core: number;
  readonly package: number;
  /** `running`, `starting`, `hung`, `silent`, `ended`. */
  readonly state: string;
  readonly incarnation: number;
  /** Members that it is bound to. */
  readonly links: number;
}

/** The measured round trip of one direction: from, to, shortest and average in nanoseconds. */
export type TripView = readonly [from: number, to: number, minNs: number, averageNs: number];

/** A fault in force: a rule of the network, or a process that hangs or has ended. */
export interface FaultView {
  readonly id: string;
  readonly text: string;
  /** Null: the fault is a process's, not the network's. */
  readonly rule: FaultRule | null;
  /** The core whose process it is, or `skb`; null for a rule of the network. */
  readonly process: number | 'skb' | null;
  readonly frames: number;
  readonly dropped: number;
  readonly delayed: number;
}

/** The counts of a core since it started. */
export interface CounterView {
  readonly core: number;
  readonly sent: number;
  readonly delivered: number;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly retransmits: number;
  /** Messages that wait in its channels now. */
  readonly queued: number;
  /** Operations that run now. */
  readonly operations: number;
}

/** Who sends to whom. */
export interface TreeNode {
  readonly core: number;
  readonly children: readonly TreeNode[];
}

export interface CapabilityView {
  readonly core: number;
  readonly slot: number;
  readonly capability: string;
  readonly owner: number;
  readonly rights: number;
  readonly locked: boolean;
  readonly relations: number;
}

/** RAM of a core, bytes. */
export interface MemoryView {
  readonly core: number;
  readonly brought: number;
  readonly free: number;
  readonly lent: number;
  readonly stolen: number;
}

export interface DomainView {
  readonly domain: string;
  readonly program: string;
  /** The cores on which it has dispatchers. */
  readonly cores: readonly number[];
  readonly state: string;
}

/** A core's view of membership. */
export interface MembershipView {
  readonly core: number;
  /** The view that it has installed; 0: none. */
  readonly view: number;
  readonly leader: number | null;
  /** It has no lease: nothing that it computes leaves it. */
  readonly fenced: boolean;
  readonly suspects: readonly number[];
  /** Cores that ask to be admitted. */
  readonly newcomers: readonly number[];
}

/** A past view, and when it was installed. */
export interface PastView {
  readonly view: number;
  readonly leader: number;
  readonly members: number;
  readonly joined: readonly number[];
  /** Members that left of their own accord; absent in older recordings. */
  readonly left?: readonly number[];
  readonly lost: readonly number[];
  readonly at: Millis;
}

/** A mapping in a domain's address space. */
export interface MappedView {
  readonly domain: string;
  readonly virtual: number;
  readonly bytes: number;
  readonly pageBytes: number;
  /** Physical address. */
  readonly frame: number;
  /** One text per page, or one for all: `rw-`. */
  readonly rights: readonly string[];
  /** Cores that hold translations. */
  readonly holders: readonly number[];
}

/** A page, as its home knows it. */
export interface PageView {
  readonly home: number;
  readonly address: number;
  /** The state of its home's directory, or `lost`. */
  readonly state: string;
  readonly owner: number | null;
  readonly sharers: readonly number[];
  readonly version: number;
  /** Requests that wait for it. */
  readonly queued: number;
}

/** A line of the log, as a process wrote it. */
export interface LogLineView {
  readonly time: Millis;
  readonly level: LogLevel;
  readonly event: string;
  readonly core: number | 'skb' | 'launcher';
  readonly seq?: number;
  readonly lamport?: number;
  readonly op?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

interface EventBodies {
  /** The first event: whose run this is. */
  readonly hello: {
    readonly version: number;
    readonly cluster: string;
    readonly mode: 'live' | 'replay';
    readonly seed: string;
    readonly machine: string;
    /** Whether processes can be crashed, restarted and hung from here, which needs a supervisor. */
    readonly supervised: boolean;
  };
  readonly cores: { readonly cores: readonly CoreView[]; readonly skb: string };
  readonly links: { readonly trips: readonly TripView[] };
  readonly faults: { readonly faults: readonly FaultView[] };
  readonly counters: { readonly cores: readonly CounterView[] };
  readonly tree: { readonly root: number; readonly plan: string; readonly tree: TreeNode };
  readonly capabilities: { readonly rows: readonly CapabilityView[]; readonly absent: readonly number[] };
  readonly memory: { readonly rows: readonly MemoryView[] };
  readonly domains: { readonly rows: readonly DomainView[] };
  /** The newest view, what each core says, and how it came about. */
  readonly views: {
    readonly view: number;
    readonly leader: number | null;
    readonly leaseMs: number;
    readonly members: readonly (readonly [core: number, incarnation: number])[];
    readonly rows: readonly MembershipView[];
    readonly history: readonly PastView[];
    readonly absent: readonly number[];
  };
  /** The first address spaces and pages; `left`: how many more rows there are of each. */
  readonly spaces: {
    readonly mapped: readonly MappedView[];
    readonly pages: readonly PageView[];
    readonly left: readonly [mapped: number, pages: number];
  };
  /** `lost`: earlier lines left out because the page did not keep up. */
  readonly log: { readonly lines: readonly LogLineView[]; readonly lost: number };
  /** Why nothing comes; null: all is well again. */
  readonly trouble: { readonly text: string | null };
}

/** The name of an event. */
export type PageEventType = keyof EventBodies;

const TYPES: { readonly [T in PageEventType]: true } = {
  hello: true,
  cores: true,
  links: true,
  faults: true,
  counters: true,
  tree: true,
  capabilities: true,
  memory: true,
  domains: true,
  views: true,
  spaces: true,
  log: true,
  trouble: true,
};

export function isPageEventType(name: string): name is PageEventType {
  return Object.hasOwn(TYPES, name);
}

export type PageEventOf<T extends PageEventType> = { readonly type: T; readonly t: Millis } & EventBodies[T];

/** An event that belongs in a recording. */
export type PageEvent = { readonly [T in PageEventType]: PageEventOf<T> }[PageEventType];

/** An answer to this connection only; never recorded. */
export type PageReply =
  | { readonly type: 'may'; readonly act: boolean; readonly text: string }
  /** The server is alive, and its clock. */
  | { readonly type: 'beat'; readonly t: Millis }
  | { readonly type: 'answer'; readonly id: number; readonly ok: boolean; readonly text: string };

/** Data that costs the cluster something to report, requested only while somebody looks at it. */
export const WATCHED = ['capabilities', 'memory', 'domains', 'tree', 'views', 'spaces'] as const;
export type Watched = (typeof WATCHED)[number];

/** A message from the page. */
export type PageRequest =
  | { readonly type: 'token'; readonly token: string }
  | {
      readonly type: 'watch';
      readonly what: readonly Watched[];
      readonly root: number;
      readonly plan: string;
    }
  | { readonly type: 'act'; readonly id: number; readonly verb: string; readonly args: ActionArgs };

/** Arguments of an action by their names on mkctl's command line. */
export type ActionArgs = Readonly<Record<string, string | boolean | readonly string[]>>;
