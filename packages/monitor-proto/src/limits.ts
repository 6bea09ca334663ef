import { MEASURING_LIMITS } from './measuring-limits.ts';
import { MILLISECOND, SECOND } from './ids.ts';

/** One bound of the system: its value and why it is that value. */
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
    reason: 'A frame is closed past this size, so urgent messages never wait long behind bulk.',
  },
  frameTargetMessages: {
    value: 256,
    unit: 'messages',
    reason: 'Past a few hundred messages a larger batch gains no throughput.',
  },
  maxNesting: {
    value: 64,
    unit: 'levels',
    reason: 'Routes nest once per tree level; deeper input is an attack on the decoder stack.',
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
    reason: 'At 2 M messages/s it covers 4 ms of round trip; 4,096 halved the throughput that was measured.',
  },
  urgentQueue: {
    value: 256,
    unit: 'messages',
    reason: 'Beyond this the peer has not taken an urgent message for minutes.',
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
    reason: 'Back-off ends here so that a healed partition is noticed within seconds.',
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
    reason:
      'Whoever answers that this instance, or the one that is dialled, is over will say so again; the view ends it.',
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
      'A client of the SKB that is silent for this long loses its session and its locks; it renews the session five times within it. `--session-timeout` sets another.',
  },
  clientBacklog: {
    value: 20_000,
    unit: 'messages',
    reason:
      'Answers that a client has not read; past it the SKB drops the client, or ends the session of a core. At half of it the client’s next requests wait.',
  },
  clientUnread: {
    value: 1024,
    unit: 'messages',
    reason: 'Answers in a client’s channel, beside those: as many as the lane’s window can have under way.',
  },
  clientBacklogCharacters: {
    value: 32 << 20,
    unit: 'characters',
    reason:
      'Of those answers: eight times what a query of all names brings; 20,000 of the longest would take half a gigabyte.',
  },
  clientQueries: {
    value: 1024,
    unit: 'queries',
    reason: 'Queries of one client at once; the next is answered with EngineBusy.',
  },
  operationDeadlineNs: {
    value: 10 * SECOND,
    unit: 'ns',
    reason: 'An operation that nobody answered ends with OPERATION_TIMEOUT.',
  },
  operationsInFlight: {
    value: 4096,
    unit: 'operations',
    reason: 'Per core; past it new operations are refused with TOO_MANY_OPERATIONS.',
  },
  joinDeadlineNs: {
    value: 60 * SECOND,
    unit: 'ns',
    reason: 'A core that is not a member by then gives up with JOIN_TIMEOUT.',
  },
  pingPayloadBytes: {
    value: 64 << 10,
    unit: 'bytes',
    reason: 'A ping may carry a page or a small buffer, not a file.',
  },
  // Those of the measurement of round trips have a file of their own.
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
  revokeSubscribers: { value: 256, unit: 'subscriptions', reason: 'Per core; each mark looks through all of them.' },
  capabilityRetryNs: {
    value: 20 * MILLISECOND,
    unit: 'ns',
    reason: 'First back-off of a monitor that repeats a request which must succeed.',
  },
  capabilityRetryMaxNs: { value: 640 * MILLISECOND, unit: 'ns', reason: 'The back-off doubles up to here.' },
  ownerRedirects: {
    value: 8,
    unit: 'hops',
    reason: 'How often a request follows an ownership that keeps moving; then the caller tries again.',
  },
  operationsRemembered: {
    value: 4096,
    unit: 'operations',
    reason:
      'Rounds of one initiator whose answers are remembered until it says that they are over everywhere; as many as operations in flight.',
  },
  callerRetryNs: {
    value: 1 * MILLISECOND,
    unit: 'ns',
    reason: 'First back-off of a program’s library after a transient error.',
  },
  callerRetryMaxNs: { value: 128 * MILLISECOND, unit: 'ns', reason: 'Its back-off doubles up to here.' },
  callerDeadlineNs: {
    value: 10 * SECOND,
    unit: 'ns',
    reason: 'After this the library passes the error on to the program.',
  },
  ramBytesPerCore: {
    value: 64 << 20,
    unit: 'bytes',
    reason: 'Memory that a core brings unless the cluster’s settings say otherwise.',
  },
  treeFromCores: {
    value: 12,
    unit: 'cores',
    reason:
      'From this many cores on an unmap uses the tree: with fewer, one by one is faster (Baumann et al., SOSP 2009, Fig. 6).',
  },
  faultsWaiting: {
    value: 1024,
    unit: 'faults',
    reason: 'Page faults, atomics and snapshots of one core’s dispatchers that wait for a page or a translation.',
  },
  pagesCached: {
    value: 16_384,
    unit: 'pages',
    reason: 'Copies of other cores’ pages that a core keeps: 64 MiB, what a core brings; the oldest go home beyond it.',
  },
  ramStealWaitNs: {
    value: 1 * SECOND,
    unit: 'ns',
    reason: 'A memory server that has no answer from a peer by then asks the next; a late answer still counts.',
  },
  ramStealChunkBytes: {
    value: 1 << 20,
    unit: 'bytes',
    reason:
      'A dry core takes this much at once, or a quarter of what its victim has free: not a message for each page.',
  },
  domainsPerCore: { value: 1024, unit: 'domains', reason: 'Each takes two CNodes.' },
  channelMessageBytes: {
    value: 64 << 10,
    unit: 'bytes',
    reason: 'One message of a program; larger things go in several or in a shared frame. Fits a turn four times.',
  },
  channelWindowBytes: {
    value: 128 << 10,
    unit: 'bytes',
    reason:
      'Under way on one channel in one direction unless its binder asks for another window: two of the largest messages.',
  },
  channelWindowMostBytes: {
    value: 1 << 20,
    unit: 'bytes',
    reason: 'The largest window that may be asked for: it is memory of the receiving core.',
  },
  channelWindowLeastBytes: {
    value: 1 << 10,
    unit: 'bytes',
    reason: 'The smallest window: below it every message waits for the one before.',
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
    reason: 'A route that does not answer a bind by then is given up for the next.',
  },
  circuitRelays: {
    value: 16_384,
    unit: 'circuits',
    reason: 'Channels of others that a core passes on at once.',
  },
  endpointMessages: {
    value: 128,
    unit: 'messages',
    reason: 'Messages that a same-core endpoint buffers; the next is refused with ENDPOINT_OVERFLOW.',
  },
  endpointWords: {
    value: 10,
    unit: 'words',
    reason: 'A same-core message is what fits in registers, as in Barrelfish; a capability may go beside it.',
  },
  logWaitingBytes: {
    value: 4 << 20,
    unit: 'bytes',
    reason:
      'Log lines that wait for a reader who is slow: seconds at level debug. What comes then is dropped and counted.',
  },
  logReserveBytes: { value: 1 << 20, unit: 'bytes', reason: 'Beside that for warnings and errors alone.' },
  maxLamport: {
    value: 2 ** 52,
    unit: 'ticks',
    reason: 'A clock taken over from a peer still has room to count as long again before it stops being exact.',
  },
  silenceNs: {
    value: 1 * SECOND,
    unit: 'ns',
    reason: 'Two heartbeats of a small cluster: a peer that was heard from within it does not hold an operation up.',
  },
  floodHoles: {
    value: 256,
    unit: 'messages',
    reason:
      'Missing messages that a throughput measurement looks out for: a sound channel has none, and each costs memory.',
  },
  floodStreams: {
    value: 64,
    unit: 'streams',
    reason: 'Throughput measurements by one sender at once; the oldest gives way.',
  },
  budgetWindowNs: {
    value: 100 * MILLISECOND,
    unit: 'ns',
    reason: 'What peers ask is compared over two of these: long against a burst, short against a person’s patience.',
  },
  budgetFloorPerSecond: {
    value: 1000,
    unit: 'requests/s',
    reason: 'What every peer may ask of a core, whoever else works: some percent of a CPU when it comes in batches.',
  },
  budgetShare: {
    value: 2,
    unit: 'times',
    reason:
      'A peer that asks more than this many times what the busiest other peer asks, and more than the floor, is throttled.',
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
      'Of a peer on rations: twice what it can have operations; at the rate of the floor those are served within their deadline. Only who waits for no answer has more.',
  },
  quarantineOffences: {
    value: 8,
    unit: 'offences',
    reason:
      'So many proven offences of a member are enough to accuse it: one proves it, and a bug of ours is not to empty a view.',
  },
  budgetBatchNs: {
    value: 10 * MILLISECOND,
    unit: 'ns',
    reason: 'Requests that wait are served in batches this far apart: a wake-up costs more than what it is for.',
  },
  logLinesKept: {
    value: 5000,
    unit: 'lines',
    reason: 'What a process in a container keeps of its log for the page, at most twice for a moment: some 2 MB.',
  },
  logCharactersKept: {
    value: 4 << 20,
    unit: 'characters',
    reason: 'Of those lines, at most twice for a moment: programs print lines of eight thousand.',
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
      'Silence of the SKB after which a core or a client closes its link and dials anew: over twice what a session lasts, a fortieth of what TCP takes. `--skb-silence` sets another.',
  },
  operationsPerAsker: {
    value: 4096,
    unit: 'operations',
    reason:
      'Under way at a core for what one other core asks of it as an owner: as many as that one can have of its own. Each asker has its own share; past it requests are refused with TOO_MANY_OPERATIONS.',
  },
  arrivalsPerSender: {
    value: 2 * 4096,
    unit: 'operations',
    reason:
      'What one other core may have a core look into or keep frozen: copies that arrive, new owners, marks, guards. Twice its operations, as it also sends for those who asked it.',
  },
  answersWaiting: {
    value: 4 * 4096,
    unit: 'messages',
    reason: 'Answers to one core that wait for room in its queue: who takes none and asks for more gets no more.',
  },
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof LIMITS;

/** The value of a limit. */
export function limit(name: LimitName): number {
  return LIMITS[name].value;
}
