/*
 * Turns a cluster's answers into the page's views. Each asks once and fails as a whole: the caller, which repeats it,
 * decides what a missing answer means.
 */
import type {
  CapabilityView,
  CoreView,
  CounterView,
  DomainView,
  FaultView,
  MappedView,
  MemoryView,
  PageEventOf,
  PageView,
  TripView,
} from '@mk/ui/model/page-events';
import type { ActiveRule } from '@mk/monitor-proto/link/rule-state';
import type { ClusterClient } from '../client/cluster-client.ts';
import { type Access, fetchText } from '@mk/libmk/io/control-call';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import { askCores } from '../client/cores.ts';
import { describeFault } from '@mk/machine/describe-fault';
import { samplesOf } from '../client/merge-metrics.ts';
import { dispatchersOf, domainsOf } from '@mk/libmk/io/domains';
import type { PageRow, ProcessRow, SpaceRow } from '../client/answers.ts';
import { PAGE_BYTES, rightsText } from '../client/pages.ts';
import { viewsEvent } from '@mk/ui/model/views';

/** A process that has not answered within this time is busy or hangs: the page shows the rest meanwhile. */
const ANSWER_MS = 2000;

/** The supervised processes; null without a supervisor. */
export async function processesOf(cluster: ClusterClient): Promise<readonly ProcessRow[] | null> {
  return cluster.supervised ? cluster.supervisor('ps', {}, { timeoutMs: ANSWER_MS }) : null;
}

/** The members as the SKB lists them. */
export async function membersOf(cluster: ClusterClient): Promise<readonly CoreRow[]> {
  return cluster.skb('cores', {}, { timeoutMs: ANSWER_MS });
}

/** Members and processes together: a dead core is no longer a member, and a starting process is not yet one. */
export function coreViews(
  members: readonly CoreRow[],
  processes: readonly ProcessRow[] | null,
  before: readonly CoreView[],
): readonly CoreView[] {
  const packages = new Map(before.map((view) => [view.core, view.package]));
  const byCore = new Map(members.map((row) => [row.core, row]));
  const states = new Map(processes?.map(({ name, state }) => [numberOf(name), state]) ?? []);
  const cores = new Set([
    ...byCore.keys(),
    ...[...states.keys()].filter((core): core is number => typeof core === 'number'),
  ]);
  return [...cores]
    .sort((a, b) => a - b)
    .map((core) => {
      const row = byCore.get(core);
      const state = states.get(core) ?? (row?.up === true ? 'running' : 'silent');
      return {
        core,
        package: row?.package ?? packages.get(core) ?? 0,
        state: state === 'listening' ? 'starting' : state,
        incarnation: row?.incarnation ?? processes?.find(({ name }) => numberOf(name) === core)?.incarnation ?? 0,
        links: row?.links ?? 0,
      };
    });
}

/** Rules in force, and processes that hang or have ended. */
export function faultViews(
  rules: readonly ActiveRule[],
  processes: readonly ProcessRow[] | null,
): readonly FaultView[] {
  const links = rules.map(({ rule, counters }): FaultView => {
    const { frames, dropped, delayed } = counters;
    return { id: rule.id, text: describeFault(rule), rule, process: null, frames, dropped, delayed };
  });
  const ill = (processes ?? []).flatMap(({ name, state, how }): FaultView[] => {
    const process = numberOf(name);
    if (process === null || (state !== 'hung' && state !== 'ended')) return [];
    const kind = state === 'hung' ? 'hang' : 'crash';
    const who = process === 'skb' ? 'the SKB' : `core ${process}`;
    const text = state === 'hung' ? `${who} hangs` : `${who} has ended (${how})`;
    return [{ id: `${kind}:${process}`, text, rule: null, process, frames: 0, dropped: 0, delayed: 0 }];
  });
  return [...links, ...ill];
}

/** The measured round trips. */
export async function tripsOf(cluster: ClusterClient): Promise<readonly TripView[]> {
  const rows = await cluster.skb('rtt', {}, { timeoutMs: ANSWER_MS });
  return rows.map(({ from, to, min, average }) => [from, to, min, Math.round(average)]);
}

/** The counters of each core; cores that do not answer are left out. */
export async function countersOf(
  cores: readonly { readonly core: number; readonly address: string }[],
  access: Access,
): Promise<readonly CounterView[]> {
  const pages = await Promise.all(
    cores.map(({ core, address }) =>
      fetchText(address, access, '/metrics', ANSWER_MS).then(
        ({ body }) => counterView(core, body),
        () => null,
      ),
    ),
  );
  return pages.filter((page) => page !== null);
}

const COUNTERS: Readonly<Record<string, keyof CounterView>> = {
  mk_messages_sent_total: 'sent',
  mk_messages_delivered_total: 'delivered',
  mk_frames_sent_total: 'framesSent',
  mk_frames_received_total: 'framesReceived',
  mk_retransmits_total: 'retransmits',
  mk_queue_messages: 'queued',
  mk_operations_running: 'operations',
};

function counterView(core: number, page: string): CounterView {
  const view = {
    core,
    sent: 0,
    delivered: 0,
    framesSent: 0,
    framesReceived: 0,
    retransmits: 0,
    queued: 0,
    operations: 0,
  };
  for (const { name, value } of samplesOf(page)) {
    const field = COUNTERS[name];
    if (field !== undefined && value !== null) view[field] += value;
  }
  return view;
}

/** Every slot of every core that answers, and the cores that do not. */
export async function capabilitiesOf(
  cluster: ClusterClient,
  cores: readonly number[],
): Promise<{ readonly rows: readonly CapabilityView[]; readonly absent: readonly number[] }> {
  const { answers, absent } = await askCores(cores, (core) => cluster.core(core, 'caps', {}, { timeoutMs: ANSWER_MS }));
  const rows = answers.flatMap(({ core, value }) =>
    value.map(({ slot, capability, rights, owner, locked, relations }) => ({
      core,
      slot,
      capability,
      rights,
      owner,
      locked,
      relations,
    })),
  );
  return { rows, absent: absent.map(({ core }) => core) };
}

export async function memoryOf(cluster: ClusterClient, cores: readonly number[]): Promise<readonly MemoryView[]> {
  const { answers } = await askCores(cores, (core) => cluster.core(core, 'memory', {}, { timeoutMs: ANSWER_MS }));
  return answers.map(({ core, value: { brought, free, lent, stolen } }) => ({ core, brought, free, lent, stolen }));
}

export async function domainViewsOf(cluster: ClusterClient): Promise<readonly DomainView[]> {
  const [domains, dispatchers] = await Promise.all([domainsOf(cluster), dispatchersOf(cluster)]);
  return domains.map(({ domain, program, finished, cause, status, parts }) => ({
    domain,
    program,
    cores: [
      ...new Set([
        ...Object.keys(parts).map(Number),
        ...dispatchers.filter((row) => row.domain === domain).map(({ core }) => core),
      ]),
    ],
    state: finished ? (cause === '' ? `ended with ${status}` : `${cause.toLowerCase()} ${status}`) : 'running',
  }));
}

/** Membership as the answering cores see it. */
export async function viewsOf(
  cluster: ClusterClient,
  cores: readonly number[],
  nowMs: number,
): Promise<PageEventOf<'views'>> {
  const { answers, absent } = await askCores(cores, (core) => cluster.core(core, 'view', {}, { timeoutMs: ANSWER_MS }));
  return viewsEvent(
    answers.map(({ value }) => value),
    absent.map(({ core }) => core),
    nowMs,
  );
}

/** Rows of address spaces, and of pages, sent to a page. */
const MOST_ROWS = 300;

/** Address spaces and page directories of the answering cores. */
export async function spacesOf(
  cluster: ClusterClient,
  cores: readonly number[],
): Promise<Pick<PageEventOf<'spaces'>, 'mapped' | 'pages' | 'left'>> {
  const [spaces, directories] = await Promise.all([
    askCores(cores, (core) => cluster.core(core, 'vspaces', {}, { timeoutMs: ANSWER_MS })),
    askCores(cores, (core) => cluster.core(core, 'pages', {}, { timeoutMs: ANSWER_MS })),
  ]);
  const mapped = spaces.answers.flatMap(({ value }) => value).flatMap(mappedViews);
  const pages = directories.answers.flatMap(({ core, value }) => value.map((row) => pageView(core, row)));
  const left = [Math.max(0, mapped.length - MOST_ROWS), Math.max(0, pages.length - MOST_ROWS)] as const;
  return { mapped: mapped.slice(0, MOST_ROWS), pages: pages.slice(0, MOST_ROWS), left };
}

function mappedViews({ domain, mapped }: SpaceRow): readonly MappedView[] {
  return mapped.map((row) => ({
    domain,
    virtual: row.virtual,
    bytes: row.bytes,
    pageBytes: row.page_bytes,
    frame: row.frame + row.offset,
    rights: [...new Set(row.rights)].map(rightsText),
    holders: row.holders,
  }));
}

function pageView(home: number, { page, state, owner, sharers, version, queued, lost }: PageRow): PageView {
  return { home, address: page * PAGE_BYTES, state: lost ? 'lost' : state, owner, sharers, version, queued };
}

/** `core-3` is 3, `skb` itself; null: another process. */
export function numberOf(process: string): number | 'skb' | null {
  if (process === 'skb') return 'skb';
  const core = /^core-(\d+)$/.exec(process)?.[1];
  return core === undefined ? null : Number(core);
}
