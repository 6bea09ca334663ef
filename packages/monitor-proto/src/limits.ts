import { MEASURING_LIMITS } from './measuring-limits.ts';
import { MILLISECOND, SECOND } from './ids.ts';

/** One bound of the system, with its reason. */
export interface Limit {
  readonly value: number;
  readonly unit: string;
  readonly reason: string;
}

/** Every bound of links, channels and monitors. Generated into docs/reference/limits.md. */
export const LIMITS = {
  maxCores: {
    value: 4096,
    unit: 'cores',
    reason: 'Core ids stay below the reserved peer ids and fit a small array index.',
  },
  maxFrameBytes: {
    value: 1 << 20,
    unit: 'bytes',
    reason: 'One frame is decoded in one turn; 1 MiB takes a few milliseconds.',
  },
  frameTargetBytes: {
    value: 64 << 10,
    unit: 'bytes',
    reason: 'Larger frames are split, so that urgent messages never wait long behind bulk.',
  },
  frameTargetMessages: {
    value: 256,
    unit: 'messages',
    reason: 'Past a few hundred messages a larger batch gains no throughput.',
  },
  maxNesting: {
    value: 64,
    unit: 'levels',
    reason: 'Routes nest once per tree level; deeper input is an attack on the decoder’s stack.',
  },
  maxStringBytes: {
    value: 128 << 10,
    unit: 'bytes',
    reason: 'The machine description of 1,024 cores travels as one string.',
  },
  urgentWindow: {
    value: 64,
    unit: 'messages',
    reason: 'Clock exchanges and view changes are few; a small window keeps them fresh.',
  },
  monitorWindow: {
    value: 1024,
    unit: 'messages',
    reason: 'Holds every message of a pipelined operation over 1,024 cores.',
  },
  bulkWindow: {
    value: 8192,
    unit: 'messages',
    reason: 'At 2 M messages/s it covers 4 ms of round trip; with 4,096 the measured throughput halved.',
  },
  urgentQueue: {
    value: 256,
    unit: 'messages',
    reason: 'Past this, the peer has not taken an urgent message for minutes.',
  },
  monitorQueue: { value: 16_384, unit: 'messages', reason: 'Two operations per core on 4,096 cores before BUSY.' },
  bulkQueue: { value: 32_768, unit: 'messages', reason: 'Four windows; 64-byte messages fill it with 2 MiB a peer.' },
  ackDelayNs: {
    value: 20 * MILLISECOND,
    unit: 'ns',
    reason: 'Long enough for a reply to carry the ack, short against the retransmission time.',
  },
  retransmitMinNs: {
    value: 200 * MILLISECOND,
    unit: 'ns',
    reason: 'Ten ack delays: a loaded host is not taken for a lossy one.',
  },
  retransmitMaxNs: {
    value: 5 * SECOND,
    unit: 'ns',
    reason: 'Back-off ends here, so that a healed partition is noticed within seconds.',
  },
  redialMinNs: {
    value: 5 * MILLISECOND,
    unit: 'ns',
    reason: 'A reset socket is reopened at once; the pause only breaks tight loops.',
  },
  redialMaxNs: { value: 1 * SECOND, unit: 'ns', reason: 'A returning peer is found within a second.' },
  redialOverMaxNs: {
    value: 16 * SECOND,
    unit: 'ns',
    reason: 'A peer that says that this or the dialled instance is over will say so again; the view ends it.',
  },
  handshakeTimeoutNs: {
    value: 10 * SECOND,
    unit: 'ns',
    reason: 'A link that has not proved itself by then is closed; 64 cores boot in less on two CPUs.',
  },
  heartbeatIntervalNs: { value: 1 * SECOND, unit: 'ns', reason: 'Shortest pause between two heartbeats on one link.' },
  heartbeatsPerSecond: {
    value: 16,
    unit: 'messages/s',
    reason: 'Most heartbeats that a core sends; on larger machines each link beats less often, in whole seconds.',
  },
  heartbeatMissed: { value: 5, unit: 'intervals', reason: 'Silence after which a peer is suspected.' },
  sessionTimeoutNs: {
    value: 8 * SECOND,
    unit: 'ns',
    reason:
      'A client of the SKB that is silent this long loses its session and its locks; it renews the session five times within it. `--session-timeout` sets another.',
  },
  clientBacklog: {
    value: 20_000,
    unit: 'messages',
    reason:
      'Answers that a client has not read; beyond it the SKB drops the client, or ends the session of a core. From half of it on the client’s requests wait.',
  },
  clientUnread: {
    value: 1024,
    unit: 'messages',
    reason: 'Further answers in a client’s channel: as many as the lane’s window allows under way.',
  },
  clientBacklogCharacters: {
    value: 32 << 20,
    unit: 'characters',
    reason:
      'Size of those answers: eight times the answer to a query for all names; 20,000 of the longest would take half a gigabyte.',
  },
  clientQueries: {
    value: 1024,
    unit: 'queries',
    reason: 'Queries of one client at once; the next is answered with EngineBusy.',
  },
  operationDeadlineNs: {
    value: 10 * SECOND,
    unit: 'ns',
    reason: 'An unanswered operation ends with OPERATION_TIMEOUT.',
  },
  operationsInFlight: {
    value: 4096,
    unit: 'operations',
    reason: 'Per core; beyond it new operations are refused with TOO_MANY_OPERATIONS.',
  },
  joinDeadlineNs: {
    value: 60 * SECOND,
    unit: 'ns',
    reason: 'A core that is not a member by then gives up: SKB_UNREACHABLE, or JOIN_TIMEOUT if the SKB answers.',
  },
  pingPayloadBytes: {
    value: 64 << 10,
    unit: 'bytes',
    reason: 'A ping may carry a page or a small buffer, not a file.',
  },
  // The limits of round-trip measurement have their own file.
  ...MEASURING_LIMITS,
  maxPendingLinks: { value: 8192, unit: 'links', reason: 'Accepted links that have not finished their handshake.' },
  revokeLockWaitNs: {
    value: 250 * MILLISECOND,
    unit: 'ns',
    reason:
      'How long a mark waits for a lock below its target before it refuses, so that two revokes that wait for each other end.',
  },
  revokeConsentNs: {
    value: 250 * MILLISECOND,
    unit: 'ns',
    reason: 'A subscriber that does not answer in time is assumed to consent.',
  },
  revokeSubscribers: { value: 256, unit: 'subscriptions', reason: 'Per core; each mark scans all of them.' },
  capabilityRetryNs: {
    value: 20 * MILLISECOND,
    unit: 'ns',
    reason: 'First back-off of a monitor’s request that must succeed.',
  },
  capabilityRetryMaxNs: { value: 640 * MILLISECOND, unit: 'ns', reason: 'Longest back-off of such a request.' },
  ownerRedirects: {
    value: 8,
    unit: 'hops',
    reason: 'How often a request follows an ownership that keeps moving before the caller tries again.',
  },
  operationsRemembered: {
    value: 4096,
    unit: 'operations',
    reason:
      'Rounds of one initiator whose answers are kept until it says that they are over everywhere; as many as operations in flight.',
  },
  callerRetryNs: {
    value: 1 * MILLISECOND,
    unit: 'ns',
    reason: 'First back-off of a program’s library after a transient error.',
  },
  callerRetryMaxNs: { value: 128 * MILLISECOND, unit: 'ns', reason: 'Longest back-off of a program’s library.' },
  callerDeadlineNs: {
    value: 10 * SECOND,
    unit: 'ns',
    reason: 'After this long the library passes the error on to the program.',
  },
  ramBytesPerCore: {
    value: 64 << 20,
    unit: 'bytes',
    reason: 'Memory that a core contributes unless the cluster’s settings say otherwise.',
  },
  treeFromCores: {
    value: 12,
    unit: 'cores',
    reason:
      'From this many cores on, an unmap uses the tree: below it, one message at a time is faster (Baumann et al., SOSP 2009, Fig. 6).',
  },
  faultsWaiting: {
    value: 1024,
    unit: 'faults',
    reason: 'Page faults, atomics and snapshots of one core’s dispatchers that wait for a page or a translation.',
  },
  pagesCached: {
    value: 16_384,
    unit: 'pages',
    reason:
      'Copies of other cores’ pages that a core keeps: 64 MiB, what a core contributes; beyond it the oldest go home.',
  },
  ramStealWaitNs: {
    value: 1 * SECOND,
    unit: 'ns',
    reason: 'A memory server with no answer from a peer by then asks the next one; a late answer still counts.',
  },
  ramStealChunkBytes: {
    value: 1 << 20,
    unit: 'bytes',
    reason:
      'An empty memory server takes this much at once, or a quarter of what its victim has free, to avoid a message per page.',
  },
  domainsPerCore: { value: 1024, unit: 'domains', reason: 'Each takes two CNodes.' },
  channelMessageBytes: {
    value: 64 << 10,
    unit: 'bytes',
    reason: 'One message of a program; larger data goes in several messages or in a shared frame. Four fit a turn.',
  },
  channelWindowBytes: {
    value: 128 << 10,
    unit: 'bytes',
    reason:
      'Under way on one channel in one direction unless its binder requests another window: two of the largest messages.',
  },
  channelWindowMostBytes: {
    value: 1 << 20,
    unit: 'bytes',
    reason: 'The largest window that a binder may request: it is memory of the receiving core.',
  },
  channelWindowLeastBytes: {
    value: 1 << 10,
    unit: 'bytes',
    reason: 'The smallest window: below it every message waits for the previous one.',
  },
  channelsPerDispatcher: {
    value: 4096,
    unit: 'channels',
    reason: 'Ends of channels that a dispatcher may have at once; each may hold a window of bytes.',
  },
  circuitHops: {
    value: 8,
    unit: 'cores',
    reason: 'The longest route of a multi-hop channel: longer ones are loops.',
  },
  circuitOpenNs: {
    value: 2 * SECOND,
    unit: 'ns',
    reason: 'A route that has not answered a bind by then is given up for the next.',
  },
  circuitRelays: {
    value: 16_384,
    unit: 'circuits',
    reason: 'Other cores’ channels that a core relays at once.',
  },
  endpointMessages: {
    value: 128,
    unit: 'messages',
    reason: 'Messages that a same-core endpoint buffers; the next is refused with ENDPOINT_OVERFLOW.',
  },
  endpointWords: {
    value: 10,
    unit: 'words',
    reason: 'A same-core message fits in registers, as in Barrelfish; a capability may go with it.',
  },
  logWaitingBytes: {
    value: 4 << 20,
    unit: 'bytes',
    reason:
      'Log lines that wait for a slow reader: seconds’ worth at level debug. Later lines are dropped and counted.',
  },
  logReserveBytes: { value: 1 << 20, unit: 'bytes', reason: 'Extra room for warnings and errors alone.' },
  maxLamport: {
    value: 2 ** 52,
    unit: 'ticks',
    reason: 'A clock taken over from a peer can still count as long again before it stops being exact.',
  },
  silenceNs: {
    value: 1 * SECOND,
    unit: 'ns',
    reason: 'Two heartbeats of a small cluster: a peer heard from within it does not hold an operation up.',
  },
  floodHoles: {
    value: 256,
    unit: 'messages',
    reason: 'Missing messages that a throughput measurement tracks: a sound channel has none, and each costs memory.',
  },
  floodStreams: {
    value: 64,
    unit: 'streams',
    reason: 'Throughput measurements by one sender at once; the oldest gives way.',
  },
  budgetWindowNs: {
    value: 100 * MILLISECOND,
    unit: 'ns',
    reason: 'Peers’ demands are compared over two of these: long against a burst, short against a person’s patience.',
  },
  budgetFloorPerSecond: {
    value: 1000,
    unit: 'requests/s',
    reason: 'Requests that every peer may make, whatever the load: some percent of a CPU when they come in batches.',
  },
  budgetShare: {
    value: 2,
    unit: 'times',
    reason:
      'A peer is throttled when it asks more than this many times what the busiest other peer asks, and more than the floor.',
  },
  budgetRationsNs: {
    value: 1 * SECOND,
    unit: 'ns',
    reason: 'How long a peer that asked too much is throttled to the floor.',
  },
  requestsHeld: {
    value: 2 * 4096,
    unit: 'requests',
    reason:
      'Requests of a throttled peer that may wait: twice the operations that it can have; at the floor’s rate all are served within their deadline. Only a peer that waits for no answer has more.',
  },
  quarantineOffences: {
    value: 8,
    unit: 'offences',
    reason:
      'Proven offences that are enough to accuse a member: one is proof, but a bug of ours must not empty a view.',
  },
  budgetBatchNs: {
    value: 10 * MILLISECOND,
    unit: 'ns',
    reason: 'Waiting requests are served in batches this far apart: a wake-up costs more than its work.',
  },
  logLinesKept: {
    value: 5000,
    unit: 'lines',
    reason: 'Log that a process in a container keeps for the page, briefly up to twice as much: some 2 MB.',
  },
  logCharactersKept: {
    value: 4 << 20,
    unit: 'characters',
    reason: 'Size of those lines, briefly up to twice as much: programs print lines of eight thousand.',
  },
  idlePageBuffers: {
    value: 1024,
    unit: 'pages',
    reason: 'Buffers of recalled pages that a core keeps for their return: 4 MiB.',
  },
  skbSilenceNs: {
    value: 20 * SECOND,
    unit: 'ns',
    reason:
      'Silence of the SKB after which a core or a client closes its link and reconnects: over twice a session time-out, a fortieth of TCP’s. `--skb-silence` sets another.',
  },
  operationsPerAsker: {
    value: 4096,
    unit: 'operations',
    reason:
      'Requests of one other core under way at a core that owns capabilities: as many as that core can have operations. Each asker has its own share; beyond it requests are refused with TOO_MANY_OPERATIONS.',
  },
  arrivalsPerSender: {
    value: 2 * 4096,
    unit: 'operations',
    reason:
      'Checks and freezes that one other core may have a core hold: arriving copies, new owners, marks, guards. Twice its operations, as it also sends for those who asked it.',
  },
  answersWaiting: {
    value: 4 * 4096,
    unit: 'messages',
    reason:
      'Answers to one core that wait for room in its queue: a core that takes none and asks for more gets no more.',
  },
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof LIMITS;

/** The value of a limit. */
export function limit(name: LimitName): number {
  return LIMITS[name].value;
}
