/** View messages on the wire: views as flat lists, ballots as two numbers. Malformed messages are ignored. */
import { known } from '@mk/monitor-proto/assert';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import type { Proposal, ViewMessage } from './messages.ts';
import type { Member, View } from './view.ts';

export type WireViewMessage = Extract<Message, { readonly type: ViewMessage['type'] }>;

export function flattenView({ number, leader, members }: View): number[] {
  return [number, leader, members.length, ...members.flatMap(({ core, incarnation }) => [core, incarnation])];
}

/** The views in a flat list, or null when it is malformed. */
function unflattenViews(flat: readonly number[]): View[] | null {
  const views: View[] = [];
  for (let at = 0; at < flat.length;) {
    const [number = 0, leader = -1, count = 0] = flat.slice(at, at + 3);
    const end = at + 3 + 2 * count;
    if (number < 1 || count < 1 || end > flat.length) return null;
    const members: Member[] = [];
    for (let i = at + 3; i < end; i += 2) members.push({ core: known(flat[i]), incarnation: known(flat[i + 1]) });
    if (members.some(({ core }, i) => i > 0 && core <= known(members[i - 1]).core)) return null;
    if (!members.some(({ core }) => core === leader)) return null;
    views.push({ number, leader, members });
    at = end;
  }
  return views;
}

export function unflattenView(flat: readonly number[]): View | null {
  const views = unflattenViews(flat);
  return views?.length === 1 ? known(views[0]) : null;
}

export function toWire(message: ViewMessage): Message {
  switch (message.type) {
    case 'view_beacon': {
      const { ballot, ...rest } = message;
      return { ...rest, ...ballot };
    }
    case 'view_prepare':
    case 'view_accepted':
      return { type: message.type, view: message.view, ...message.ballot };
    case 'view_promise': {
      const { accepted, ballot, type, view } = message;
      return { type, view, ...ballot, accepted: accepted === null ? [] : flattenProposal(accepted) };
    }
    case 'view_accept': {
      const { ballot, view } = message.proposal;
      return { type: 'view_accept', view: message.view, ...ballot, proposal: flattenView(view) };
    }
    case 'view_install':
      return {
        type: 'view_install',
        views: message.views.flatMap(flattenView),
        left: message.left.flatMap(({ core, incarnation }) => [core, incarnation]),
      };
    case 'view_join':
      return { type: 'view_join', ...message.member, hears: message.hears };
    case 'view_accuse': {
      const { view, accused } = message;
      return { type: 'view_accuse', view, accused: accused.flatMap(({ core, incarnation }) => [core, incarnation]) };
    }
    default:
      return message;
  }
}

export function fromWire(message: WireViewMessage): ViewMessage | null {
  switch (message.type) {
    case 'view_beacon': {
      const { round, core, ...rest } = message;
      return { ...rest, ballot: { round, core } };
    }
    case 'view_prepare':
    case 'view_accepted':
      return { type: message.type, view: message.view, ballot: { round: message.round, core: message.core } };
    case 'view_promise':
      return promiseOf(message);
    case 'view_accept': {
      const view = unflattenView(message.proposal);
      const ballot = { round: message.round, core: message.core };
      return view && { type: 'view_accept', view: message.view, proposal: { ballot, view } };
    }
    case 'view_install': {
      const views = unflattenViews(message.views);
      return views && { type: 'view_install', views, left: membersOf(message.left) };
    }
    case 'view_join': {
      const { core, incarnation, hears } = message;
      return { type: 'view_join', member: { core, incarnation }, hears };
    }
    case 'view_accuse':
      return { type: 'view_accuse', view: message.view, accused: membersOf(message.accused) };
    default:
      return message;
  }
}

function membersOf(flat: readonly number[]): Member[] {
  return Array.from({ length: flat.length >> 1 }, (_, i) => ({
    core: known(flat[2 * i]),
    incarnation: known(flat[2 * i + 1]),
  }));
}

function flattenProposal({ ballot, view }: Proposal): number[] {
  return [ballot.round, ballot.core, ...flattenView(view)];
}

function promiseOf({ view, round, core, accepted }: MessageOf<'view_promise'>): ViewMessage | null {
  const ballot = { round, core };
  if (accepted.length === 0) return { type: 'view_promise', view, ballot, accepted: null };
  const [acceptedRound = 0, by = 0, ...flat] = accepted;
  const proposed = unflattenView(flat);
  const before = { round: acceptedRound, core: by };
  return proposed && { type: 'view_promise', view, ballot, accepted: { ballot: before, view: proposed } };
}
