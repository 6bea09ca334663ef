import type { SkbAnswers } from './verb-answers.ts';
import { isKeyOf } from '@mk/monitor-proto/tables';
import { peerName, type Nanos } from '@mk/monitor-proto/ids';
import { LOG_THRESHOLDS } from '@mk/monitor-proto/log-events';
import type { ControlReply } from '@mk/monitor-proto/step';
import type { SkbParts } from '../skb-parts.ts';
import type { RoundTrips } from '../topology/round-trips.ts';
import type { PlanKind, TreeNode } from '../topology/multicast-tree.ts';
import { treeAsDot, treeAsSvg, treeAsText } from '../topology/rendering.ts';

type Args = Readonly<Record<string, unknown>>;
type Answer<A> = { readonly ok: true; readonly value: A } | Extract<ControlReply, { readonly ok: false }>;

/** A verb of the SKB's control port. */
export interface Verb<A> {
  readonly doc: string;
  run(skb: SkbParts, args: Args, now: Nanos, reply: (answer: Answer<A>) => void): void;
}

const KINDS: readonly PlanKind[] = ['unicast', 'broadcast', 'multicast', 'numa'];
const FORMS: Readonly<
  Record<string, (tree: TreeNode, label: (from: number, to: number) => string) => SkbAnswers['tree']>
> = { text: treeAsText, dot: treeAsDot, svg: treeAsSvg, json: (tree) => tree };

/** What outsiders can ask the SKB's registry and topology service. */
export const VERBS: { readonly [V in keyof SkbAnswers]: Verb<SkbAnswers[V]> } = {
  waiting: {
    doc: 'The cores that a measurement waits for.',
    run: (skb, _args, now, reply) => reply(ok({ silent: skb.measurement.waitingFor(now) })),
  },
  log_level: {
    doc: 'Writes log lines of this level (debug, info, warn, error, off) and above from now on: {level}.',
    run(skb, args, _now, reply) {
      const level = LOG_THRESHOLDS.find((name) => name === args.level);
      if (level === undefined) return reply(bad(`log_level: level must be one of ${LOG_THRESHOLDS.join(', ')}`));
      skb.outbox.logFrom(level);
      reply(ok(level));
    },
  },
  status: { doc: 'Members, mesh, plans.', run: (skb, _args, _now, reply) => reply(ok(skb.status())) },
  cores: { doc: 'The registered cores.', run: (skb, _args, _now, reply) => reply(ok(coreRows(skb))) },
  rtt: {
    doc: 'The measured round trips.',
    run: (skb, _args, _now, reply) => reply(ok(rttRows(skb.measurement.trips))),
  },
  measure: {
    doc: 'Measures all round trips again; answers when done: what was measured now, and the cores that did not report.',
    run: (skb, _args, now, reply) =>
      skb.measurement.start(now, ({ trips, silent }) => reply(ok({ trips: rttRows(trips), silent }))),
  },
  tree: {
    doc: 'The dissemination tree of a core: {root, kind, form}.',
    run(skb, args, _now, reply) {
      const kind = KINDS.find((k) => k === (args.kind ?? 'multicast'));
      const name = args.form ?? 'text';
      const form = typeof name === 'string' && isKeyOf(FORMS, name) ? FORMS[name] : undefined;
      if (kind === undefined || form === undefined)
        return reply(bad(`tree: kind is one of ${KINDS.join(', ')}; form one of ${Object.keys(FORMS).join(', ')}`));
      const { root } = args;
      if (typeof root !== 'number' || !skb.registry.members.has(root))
        return reply(
          bad(typeof root === 'number' ? `tree: root ${root} is not a member` : 'tree: root must be a core'),
        );
      const tree = skb.plans.treeOf(kind, root);
      const label = (from: number, to: number): string => `${Math.round(skb.plans.latencyNs(from, to) / 1000)} µs`;
      reply(ok(form(tree, label)));
    },
  },
};

function coreRows(skb: SkbParts): SkbAnswers['cores'] {
  return [...skb.registry.members.values()]
    .sort((a, b) => a.core - b.core)
    .map((m) => ({
      core: m.core,
      incarnation: m.incarnation,
      address: m.address,
      up: m.peer.link !== 0,
      links: m.links,
      package: skb.packageOf(m.core),
      host: m.host,
      name: peerName(m.core),
    }));
}

function rttRows(trips: RoundTrips): SkbAnswers['rtt'] {
  return [...trips.entries()].map(([from, to, trip]) => ({ from, to, ...trip }));
}

function ok<A>(value: A): Answer<A> {
  return { ok: true, value };
}

function bad(text: string): Extract<ControlReply, { readonly ok: false }> {
  return { ok: false, error: 'BAD_REQUEST', text };
}
