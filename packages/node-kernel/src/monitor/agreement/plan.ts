import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Route } from '@mk/monitor-proto/messages/fields';

/**
 * How a round's request reaches its members (Baumann et al., SOSP 2009, §5.1): each kind is one row of the paper's
 * shootdown figure.
 */
export const PLAN_KINDS = ['unicast', 'broadcast', 'multicast', 'numa'] as const;
export type PlanKind = (typeof PLAN_KINDS)[number];

/** A root's subtrees in send order; `serial`: each is asked only after the previous one's answer. */
export interface Plan {
  readonly kind: PlanKind;
  readonly serial: boolean;
  readonly routes: readonly Route[];
  /** Repeats a question to cores that did not answer it. */
  readonly again?: boolean;
}

/** Decodes a tree from its flat form: core, number of children, then each child's tree. Null when it is malformed. */
function unflatten(flat: readonly number[]): Route | null {
  let at = 0;
  const read = (depth: number): Route | null => {
    if (at + 2 > flat.length || depth > 32) return null;
    const core = known(flat[at]);
    const count = known(flat[at + 1]);
    at += 2;
    const children: Route[] = [];
    for (let i = 0; i < count; i++) {
      const child = read(depth + 1);
      if (child === null) return null;
      children.push(child);
    }
    return [core, children];
  };
  const tree = read(0);
  return at === flat.length ? tree : null;
}

/**
 * Keeps only the members of a tree. The first member below a removed core leads the others there: it is as far from the
 * sender, and close to the others.
 */
export function prune(routes: readonly Route[], isMember: (core: CoreId) => boolean): Route[] {
  const kept: Route[] = [];
  for (const [core, below] of routes) {
    const isKept = isMember(core);
    const children = prune(below, isMember);
    const [leader, ...others] = children;
    if (isKept) kept.push([core, children]);
    else if (leader !== undefined) kept.push([leader[0], [...leader[1], ...others]]);
  }
  return kept;
}

/** The trees that the SKB pushed to this core, and the trivial ones that need no advice. */
export class PlanBook {
  version = 0;
  private flat: { readonly [K in PlanKind]?: readonly number[] } = {};
  private built: { [K in PlanKind]?: Route } = {};
  private cache: { [K in PlanKind]?: { readonly members: readonly number[]; readonly plan: Plan } } = {};

  /** Installs pushed trees if they are newer; false: they were older or malformed. */
  install(version: number, self: number, multicast: readonly number[], numa: readonly number[]): boolean {
    if (version <= this.version || multicast[0] !== self || numa[0] !== self) return false;
    this.version = version;
    this.flat = { multicast, numa };
    this.built = {};
    this.cache = {};
    return true;
  }

  /** The plan of a kind that reaches exactly `members`; cores unknown to the pushed tree come last, one by one. */
  planFor(kind: PlanKind, members: readonly number[]): Plan {
    const cached = this.cache[kind];
    if (cached?.members === members) return cached.plan;
    const plan = this.build(kind, members);
    this.cache[kind] = { members, plan };
    return plan;
  }

  /** Like `planFor`, for a subset of the members that differs each time. */
  planOver(kind: PlanKind, cores: readonly number[]): Plan {
    return this.build(kind, cores);
  }

  private build(kind: PlanKind, members: readonly number[]): Plan {
    const serial = kind === 'broadcast';
    const tree = this.treeOf(kind);
    if (tree === null) return { kind, serial, routes: members.map((core) => [core, []]) };
    const wanted = new Set(members);
    const routes = prune(tree[1], (core) => wanted.delete(core));
    return { kind, serial, routes: [...routes, ...[...wanted].map((core): Route => [core, []])] };
  }

  private treeOf(kind: PlanKind): Route | null {
    const flat = this.flat[kind];
    if (flat === undefined) return null;
    return (this.built[kind] ??= unflatten(flat) ?? [known(flat[0]), []]);
  }
}
