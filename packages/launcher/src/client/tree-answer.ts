import type { TreeNode } from '@mk/skb/topology/multicast-tree';
import type { SkbAnswers } from '@mk/skb/control/verb-answers';

/** The tree in the answer of the SKB's verb `tree` with form json. */
export function treeIn(answer: SkbAnswers['tree']): TreeNode {
  if (typeof answer === 'string') throw new Error('the SKB answered with a drawing; ask for form json');
  return answer;
}
