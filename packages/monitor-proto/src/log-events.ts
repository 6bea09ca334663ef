import { SESSION_LOG_EVENTS } from './session-log-events.ts';
import { VIEW_LOG_EVENTS } from './view-log-events.ts';

/**
 * Every log event of a cluster's processes. A public contract: docs/reference/log-events.md and its JSON Schema are
 * generated from here. Besides its own fields each line carries v, time, level, event, core, incarnation, seq, lamport.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFieldType = 'number' | 'string' | 'boolean' | 'peer' | 'numbers' | 'object';

export interface LogEventSpec {
  readonly level: LogLevel;
  readonly fields: Readonly<Record<string, LogFieldType>>;
  /** Fields that a line may lack. */
  readonly optional?: readonly string[];
  readonly doc: string;
}

export const LOG_VERSION = 1;

export const LOG_EVENTS = {
  process_started: {
    level: 'info',
    fields: { pid: 'number', address: 'string', seed: 'string' },
    doc: 'The process listens; seed is the start of its entropy.',
  },
  process_stopping: { level: 'info', fields: { reason: 'string' }, doc: 'The process was asked to end.' },
  process_failed: {
    level: 'error',
    fields: { error: 'string', text: 'string' },
    doc: 'The process ends because of an error.',
  },
  link_opened: {
    level: 'debug',
    fields: { peer: 'peer', link: 'number', dialled: 'boolean', resumed: 'boolean' },
    doc: 'A link finished its handshake.',
  },
  link_closed: {
    level: 'debug',
    fields: { peer: 'peer', link: 'number', cause: 'string' },
    doc: 'A link ended; the channel waits for the next one.',
  },
  link_refused: {
    level: 'warn',
    fields: { peer: 'peer', link: 'number', error: 'string', text: 'string', ours: 'boolean', count: 'number' },
    optional: ['count'],
    doc: 'A handshake failed; `ours`: this end refused. Logged the first time and at each doubling of the count for that peer and reason, until a link opens.',
  },
  frame_rejected: {
    level: 'warn',
    fields: { peer: 'peer', link: 'number', error: 'string', text: 'string' },
    doc: 'A frame was invalid or out of place; its link is closed.',
  },
  peer_gone: {
    level: 'info',
    fields: { peer: 'peer', peer_incarnation: 'number', instance: 'string', cause: 'string', lost: 'number' },
    doc: 'A peer’s incarnation is over; `lost` messages to it were never acknowledged.',
  },
  peer_suspected: {
    level: 'warn',
    fields: { peer: 'peer', silent_ms: 'number' },
    doc: 'Nothing was heard from a peer for too long.',
  },
  peer_heard: { level: 'info', fields: { peer: 'peer' }, doc: 'A suspected peer was heard from again.' },
  message_sent: {
    level: 'debug',
    fields: { peer: 'peer', channel: 'string', message: 'string', lane: 'number', number: 'number', op: 'string' },
    optional: ['op'],
    doc: 'The channel took a message; `number` counts within its lane.',
  },
  message_delivered: {
    level: 'debug',
    fields: { peer: 'peer', channel: 'string', message: 'string', lane: 'number', number: 'number', op: 'string' },
    optional: ['op'],
    doc: 'The channel delivered a message; `channel` names both instances, sender first.',
  },
  page_lost: {
    level: 'warn',
    fields: { peer: 'peer', address: 'number' },
    doc: 'The core with the only current copy of the page at this physical address is gone.',
  },
  core_registered: {
    level: 'info',
    fields: { peer: 'peer', member: 'number', address: 'string', host: 'string' },
    doc: 'The SKB gave a core its id; `host`: the name of its host.',
  },
  core_refused: {
    level: 'warn',
    fields: { member: 'number', error: 'string', text: 'string' },
    doc: 'The SKB refused to register a core.',
  },
  join_step: {
    level: 'debug',
    fields: { peer: 'peer', peer_incarnation: 'number', step: 'string' },
    optional: ['peer_incarnation'],
    doc: 'A step of joining the monitor mesh.',
  },
  core_ready: {
    level: 'info',
    fields: { links: 'number', elapsed_ms: 'number' },
    doc: 'This core is bound to every monitor that was announced.',
  },
  mesh_complete: {
    level: 'info',
    fields: { cores: 'number', links: 'number', elapsed_ms: 'number' },
    doc: 'All expected cores are bound to one another.',
  },
  member_down: {
    level: 'warn',
    fields: { member: 'number', cause: 'string' },
    doc: 'The SKB lost its link to a core.',
  },
  member_gone: {
    level: 'info',
    fields: { member: 'number', cause: 'string' },
    doc: 'The SKB declared a core’s incarnation gone.',
  },
  measured: {
    level: 'info',
    fields: { cores: 'number', pairs: 'number', elapsed_ms: 'number' },
    doc: 'Round trips of all pairs were measured.',
  },
  plan_computed: {
    level: 'info',
    fields: { plan: 'number', cores: 'number', cause: 'string' },
    doc: 'The SKB replanned the dissemination trees.',
  },
  plan_installed: { level: 'debug', fields: { plan: 'number' }, doc: 'A monitor took over new trees.' },
  round_started: {
    level: 'debug',
    fields: { op: 'string', plan: 'string', phases: 'number', cores: 'number' },
    doc: 'An agreement round began.',
  },
  round_finished: {
    level: 'info',
    fields: {
      op: 'string',
      plan: 'string',
      phases: 'number',
      cores: 'number',
      messages: 'number',
      elapsed_us: 'number',
      result: 'string',
    },
    doc: 'An agreement round ended.',
  },
  round_voted: {
    level: 'debug',
    fields: { op: 'string', phase: 'number', result: 'string', action: 'number' },
    doc: 'This core acted on one phase of a round.',
  },
  ram_stolen: {
    level: 'info',
    fields: { op: 'string', peer: 'number', bytes: 'number' },
    doc: 'The memory server of this core was empty and took RAM from a peer.',
  },
  cap_operation: {
    level: 'info',
    fields: {
      op: 'string',
      kind: 'string',
      capability: 'string',
      cores: 'number',
      messages: 'number',
      elapsed_us: 'number',
      result: 'string',
    },
    doc: 'A global capability operation of this core has ended; `messages` counts those of its rounds, on all cores.',
  },
  cap_revoke_mark: {
    level: 'debug',
    fields: { op: 'string', capability: 'string', frozen: 'number' },
    doc: 'This core has frozen its copies and descendants.',
  },
  cap_revoke_ready: {
    level: 'debug',
    fields: { op: 'string', result: 'string' },
    doc: 'This core has reported that it is marked, or why not.',
  },
  cap_revoke_commit: { level: 'debug', fields: { op: 'string' }, doc: 'This core deletes the copies that it froze.' },
  cap_revoke_abort: { level: 'debug', fields: { op: 'string' }, doc: 'This core thaws the copies that it froze.' },
  cap_revoke_done: { level: 'debug', fields: { op: 'string' }, doc: 'Nothing that this core froze is left on it.' },
  cap_revoke_takeover: {
    level: 'warn',
    fields: { op: 'string', member: 'number', capability: 'string' },
    doc: 'The core that had begun a revoke is gone; this core finishes it.',
  },
  cap_received: {
    level: 'debug',
    fields: { op: 'string', peer: 'peer', capability: 'string', result: 'string' },
    doc: 'A capability from another core was taken or refused.',
  },
  cap_owner_changed: {
    level: 'debug',
    fields: { op: 'string', capability: 'string', owner: 'number' },
    doc: 'Another core is the owner from now on.',
  },
  cap_reclaimed: {
    level: 'debug',
    fields: { op: 'string', bytes: 'number' },
    doc: 'Memory of this core is free again.',
  },
  domain_created: {
    level: 'info',
    fields: { domain: 'number' },
    doc: 'A domain with a cspace of its own was created.',
  },
  fault_applied: {
    level: 'info',
    fields: { rule: 'string', text: 'string' },
    doc: 'A fault rule came into force on this process.',
  },
  fault_healed: {
    level: 'info',
    fields: { rule: 'string', affected: 'number' },
    doc: 'A fault rule ended; `affected` frames felt it.',
  },
  control_handled: {
    level: 'debug',
    fields: { verb: 'string', ok: 'boolean' },
    doc: 'A control request was answered.',
  },
  engine_ready: {
    level: 'info',
    fields: { elapsed_ms: 'number', facts: 'number' },
    doc: 'The SKB answers Prolog queries from now on; also how long after its start.',
  },
  engine_restarted: {
    level: 'warn',
    fields: { cause: 'string' },
    doc: 'The Prolog engine’s thread was replaced; facts and rules were loaded again.',
  },
  journal_opened: {
    level: 'info',
    fields: { path: 'string', records: 'number', rules: 'number', elapsed_ms: 'number' },
    doc: 'Everything that the SKB had acknowledged has been restored.',
  },
  journal_repaired: {
    level: 'warn',
    fields: { path: 'string', what: 'string', amount: 'number' },
    doc: 'Traces of a kill were repaired: a torn last write (bytes), SQLite’s own lock (1), or free space given back (bytes).',
  },
  journal_failed: {
    level: 'error',
    fields: { path: 'string', text: 'string' },
    doc: 'The journal cannot be written; no change is acknowledged until it can be.',
  },
  journal_recovered: {
    level: 'warn',
    fields: { path: 'string', changes: 'number' },
    doc: 'The journal can be written again; everything that the SKB holds was rewritten and is acknowledged again.',
  },
  journal_row_set_aside: {
    level: 'error',
    fields: { path: 'string', table: 'string', row: 'string', reason: 'string' },
    doc: 'A row of the journal cannot be read: it was moved to the table set_aside, and everything else is there.',
  },
  rules_not_restored: {
    level: 'error',
    fields: { name: 'string', text: 'string' },
    doc: 'The journal holds rules of an earlier life of the SKB that its engine now refuses.',
  },
  request_failed: {
    level: 'error',
    fields: { request: 'string', error: 'string', text: 'string' },
    doc: 'A bug in mk, hit while handling one request, which was answered with INTERNAL or FAILED.',
  },
  owner_gone: {
    level: 'info',
    fields: { owner: 'string', records: 'number' },
    doc: 'A client or core is gone, and its transient records with it.',
  },
  dispatcher_created: {
    level: 'debug',
    fields: { domain: 'string', dispatcher: 'number', program: 'string' },
    doc: 'A dispatcher of a domain starts on this core.',
  },
  dispatcher_ended: {
    level: 'info',
    fields: {
      domain: 'string',
      dispatcher: 'number',
      program: 'string',
      cause: 'string',
      text: 'string',
      run_ms: 'number',
    },
    doc: 'A dispatcher has ended: it exited, or an error ended it.',
  },
  dispatcher_overran: {
    level: 'warn',
    fields: { domain: 'string', dispatcher: 'number', program: 'string', kept_ms: 'number' },
    doc: 'A dispatcher kept the core past its slice and through the grace period, so it is killed.',
  },
  domain_finished: {
    level: 'info',
    fields: { domain: 'string', program: 'string', cause: 'string', status: 'number', text: 'string' },
    doc: 'Every dispatcher of a domain whose home is this core has stopped.',
  },
  program_output: {
    level: 'info',
    fields: { domain: 'string', dispatcher: 'number', program: 'string', stream: 'string', text: 'string' },
    doc: 'A line that a program printed.',
  },
  clock_offset: {
    level: 'debug',
    fields: { peer: 'peer', offset_ns: 'number' },
    doc: 'The offset of a peer’s clock from ours.',
  },
  operation_unanswered: {
    level: 'warn',
    fields: {
      op: 'string',
      kind: 'string',
      cores: 'number',
      messages: 'number',
      silent: 'numbers',
      elapsed_us: 'number',
      result: 'string',
    },
    doc: 'An operation was reported as failed because `silent` cores did not answer in time.',
  },
  facts_refused: {
    level: 'error',
    fields: { whose: 'string', text: 'string' },
    doc: 'Facts of the machine, the host, the cluster or the journal are not in the knowledge base.',
  },
  facts_left_out: {
    level: 'warn',
    fields: { name: 'string', facts: 'number', most: 'number' },
    doc: 'The machine has more facts of one name than the knowledge base takes; facts_left_out/3 counts them there.',
  },
  ...SESSION_LOG_EVENTS,
  member_left: {
    level: 'info',
    fields: { member: 'number' },
    doc: 'A core has announced its end and closed its link to the SKB.',
  },
  assertion_failed: {
    level: 'error',
    fields: { invariant: 'string', text: 'string', state: 'object' },
    doc: 'An assertion failed: a bug. The process ends with exit status 70; `state` is a dump of its state.',
  },
  log_lines_dropped: {
    level: 'warn',
    fields: { sink: 'string', lines: 'number' },
    doc: 'Lines before this one were not written to `sink` (stdout, file, stream): its reader was too slow, or the disk was full.',
  },
  domain_spawned: {
    level: 'info',
    fields: { domain: 'string', parent: 'string', program: 'string' },
    doc: 'A program started another domain.',
  },
  record_not_written: {
    level: 'warn',
    fields: { text: 'string' },
    doc: 'The launcher could not record what runs, and keeps trying: until it succeeds, mkctl sees an older set of processes.',
  },
  ...VIEW_LOG_EVENTS,
  peer_offence: {
    level: 'warn',
    fields: { peer: 'peer', offence: 'string', count: 'number', text: 'string' },
    doc: 'A peer committed an offence of docs/reference/offences.md; logged the first time and at each doubling of the count.',
  },
  rogue_changed: {
    level: 'warn',
    fields: { behaviour: 'string' },
    doc: 'An injected fault: this core misbehaves in these ways from now on; empty: it stops.',
  },
} as const satisfies Record<string, LogEventSpec>;

export type LogEventName = keyof typeof LOG_EVENTS;
export type LogFields = Readonly<Record<string, unknown>>;

/** The value of each field type in a line; a peer is given by number and written by name. */
interface LogFieldValues {
  number: number;
  string: string;
  boolean: boolean;
  peer: number | string;
  numbers: readonly number[];
  object: unknown;
}
type Row<E extends LogEventName> = (typeof LOG_EVENTS)[E];
type OptionalIn<E extends LogEventName> = Row<E> extends { readonly optional: readonly (infer F)[] } ? F : never;
type ValueIn<E extends LogEventName, F extends keyof Row<E>['fields']> = Row<E>['fields'][F] extends LogFieldType
  ? LogFieldValues[Row<E>['fields'][F]]
  : never;

/** The fields of an event, by its row. */
export type LogFieldsOf<E extends LogEventName> = {
  readonly [F in Exclude<keyof Row<E>['fields'], OptionalIn<E>>]: ValueIn<E, F>;
} & { readonly [F in Extract<keyof Row<E>['fields'], OptionalIn<E>>]?: ValueIn<E, F> };

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
/** The levels from which a process can write lines; `off`: none. */
export const LOG_THRESHOLDS: readonly (LogLevel | 'off')[] = [...LOG_LEVELS, 'off'];
