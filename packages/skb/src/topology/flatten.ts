import type { TreeNode } from './multicast-tree.ts';

/** A tree in `plan_push`'s flat form: core, number of children, then each child's tree in send order. */
export function flattenTree(tree: TreeNode): number[] {
  const flat: number[] = [];
  const visit = (node: TreeNode): void => {
    flat.push(node.core, node.children.length);
    for (const child of node.children) visit(child);
  };
  visit(tree);
  return flat;
}
