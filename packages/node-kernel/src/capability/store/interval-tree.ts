/**
 * An AA tree of copy groups, ordered by `compareWithinTree` and augmented with the greatest end address below each
 * node, so that groups that cover or overlap a range are found without a full scan. Everything is O(log n) plus the
 * size of the answer. Barrelfish's `lib/mdb` uses the same structure; the groups are the nodes themselves.
 */
import { assert } from '@mk/monitor-proto/assert';
import type { CopyGroup } from './slot.ts';
import { compareWithinTree, isAncestor, overlaps } from '../model/capability.ts';
import type { Capability, Range } from '../model/capability.ts';

type Node = CopyGroup | null;

/** Called for each group found; returning true ends the search. */
export type Visit = (group: CopyGroup) => boolean | void;

export class IntervalTree {
  private root: Node = null;

  find(key: Capability): CopyGroup | undefined {
    let node = this.root;
    while (node !== null) {
      const order = compareTo(key, node);
      if (order === 0) return node;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds a group whose capability is not in the tree yet. */
  insert(group: CopyGroup): void {
    this.root = insertInto(this.root, group);
  }

  /** Takes out a group that is in the tree. */
  remove(group: CopyGroup): void {
    this.root = removeFrom(this.root, group.capability);
    group.left = null;
    group.right = null;
    group.level = 1;
  }

  /**
   * Visits all descendants of `key` in order; `key` itself need not be in the tree. True when a visit ended the search.
   */
  visitDescendants(key: Capability, visit: Visit): boolean {
    const end = key.address + key.size;
    return visitAfter(this.root, key, end, (group) => isAncestor(key, group.capability) && visit(group));
  }

  /** Visits in order the groups that cover `key` and are its ancestors by type. */
  visitAncestors(key: Capability, visit: Visit): boolean {
    return visitCovering(this.root, key, (group) => isAncestor(group.capability, key) && visit(group));
  }

  /** Visits in order the groups that share at least one byte with `range`. */
  visitOverlapping(range: Range, visit: Visit): boolean {
    return visitOverlaps(this.root, range, visit);
  }

  /** Visits all groups in order. True when a visit ended the search. */
  visitAll(visit: Visit): boolean {
    return visitEach(this.root, visit);
  }

  *inOrder(): Generator<CopyGroup> {
    const above: CopyGroup[] = [];
    let node = this.root;
    while (node !== null || above.length > 0) {
      for (; node !== null; node = node.left) above.push(node);
      const next: CopyGroup = above.pop()!;
      const right = next.right;
      yield next;
      node = right;
    }
  }
}

/**
 * The address nearly always decides and lies in the node itself: each capability not read on the way down saves a cache
 * miss.
 */
function compareTo(key: Capability, node: CopyGroup): number {
  if (key.address !== node.address) return key.address < node.address ? -1 : 1;
  return compareWithinTree(key, node.capability);
}

function visitEach(node: Node, visit: Visit): boolean {
  if (node === null) return false;
  return visitEach(node.left, visit) || visit(node) === true || visitEach(node.right, visit);
}

function visitAfter(node: Node, key: Capability, end: number, visit: Visit): boolean {
  if (node === null) return false;
  if (compareTo(key, node) >= 0) return visitAfter(node.right, key, end, visit);
  if (visitAfter(node.left, key, end, visit)) return true;
  if (node.address >= end && node.address !== key.address) return false;
  return visit(node) === true || visitAfter(node.right, key, end, visit);
}

function visitCovering(node: Node, key: Capability, visit: Visit): boolean {
  if (node === null || node.maxEnd < key.address + key.size) return false;
  if (visitCovering(node.left, key, visit)) return true;
  if (node.address > key.address) return false;
  return visit(node) === true || visitCovering(node.right, key, visit);
}

function visitOverlaps(node: Node, range: Range, visit: Visit): boolean {
  if (node === null || node.maxEnd <= range.address) return false;
  if (visitOverlaps(node.left, range, visit)) return true;
  if (node.address >= range.address + range.size) return false;
  if (overlaps(node.capability, range) && visit(node) === true) return true;
  return visitOverlaps(node.right, range, visit);
}

function refresh(node: CopyGroup): void {
  let end = node.capability.address + node.capability.size;
  if (node.left !== null && node.left.maxEnd > end) end = node.left.maxEnd;
  if (node.right !== null && node.right.maxEnd > end) end = node.right.maxEnd;
  node.maxEnd = end;
}

/** Turns a left child on the node's own level to the right. */
function skew(node: CopyGroup): CopyGroup {
  const left = node.left;
  if (left === null || left.level !== node.level) return node;
  node.left = left.right;
  left.right = node;
  refresh(node);
  refresh(left);
  return left;
}

/** Raises the middle of two right children in a row on one level. */
function split(node: CopyGroup): CopyGroup {
  const right = node.right;
  if (right === null || right.right === null || right.right.level !== node.level) return node;
  node.right = right.left;
  right.left = node;
  right.level += 1;
  refresh(node);
  refresh(right);
  return right;
}

function insertInto(node: Node, group: CopyGroup): CopyGroup {
  if (node === null) {
    refresh(group);
    return group;
  }
  if (compareTo(group.capability, node) < 0) node.left = insertInto(node.left, group);
  else node.right = insertInto(node.right, group);
  if (group.maxEnd > node.maxEnd) node.maxEnd = group.maxEnd;
  return split(skew(node));
}

function removeFrom(node: Node, key: Capability): Node {
  assert(node !== null, 'a group to be removed is not in the mapping database');
  const order = compareTo(key, node);
  if (order < 0) node.left = removeFrom(node.left, key);
  else if (order > 0) node.right = removeFrom(node.right, key);
  else {
    if (node.left === null) return node.right;
    if (node.right === null) return node.left;
    node = replaceBySuccessor(node, node.right);
  }
  return rebalance(node);
}

function replaceBySuccessor(node: CopyGroup, right: CopyGroup): CopyGroup {
  let next = right;
  while (next.left !== null) next = next.left;
  const rest = removeFrom(right, next.capability);
  next.left = node.left;
  next.right = rest;
  next.level = node.level;
  return next;
}

function rebalance(node: CopyGroup): CopyGroup {
  refresh(node);
  const level = Math.min(node.left?.level ?? 0, node.right?.level ?? 0) + 1;
  if (level < node.level) {
    node.level = level;
    if (node.right !== null && node.right.level > level) node.right.level = level;
  }
  let top = skew(node);
  if (top.right !== null) top.right = skewTwice(top.right);
  top = split(top);
  if (top.right !== null) top.right = split(top.right);
  refresh(top);
  return top;
}

function skewTwice(node: CopyGroup): CopyGroup {
  const top = skew(node);
  if (top.right !== null) top.right = skew(top.right);
  refresh(top);
  return top;
}
