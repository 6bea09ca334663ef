import type { ChildProcess } from 'node:child_process';
import { ended, messageOf, startBaseline } from './cluster.ts';

/** A dissemination tree, as the SKB computes it. */
export interface Tree {
  readonly core: number;
  readonly children: readonly Tree[];
}

/** A hand-written fan-out and gather: one process per core, bare ws along the tree. */
export interface BareTree {
  /** Median time of a round, in nanoseconds. */
  round(count: number): Promise<number>;
  stop(): Promise<void>;
}

export async function startBareTree(cores: number, tree: Tree): Promise<BareTree> {
  const nodes = new Map<number, { readonly child: ChildProcess; readonly port: number }>();
  await Promise.all(
    Array.from({ length: cores }, async (_, core) => {
      const child = startBaseline('tree.mjs', []);
      child.setMaxListeners(50);
      nodes.set(core, { child, port: (await messageOf(child, 'listening')).port as number });
    }),
  );
  const link = async (node: Tree): Promise<void> => {
    for (const below of node.children) await link(below);
    const { child } = nodes.get(node.core)!;
    child.send({ ports: node.children.map(({ core }) => nodes.get(core)!.port) });
    await messageOf(child, 'ready');
  };
  await link(tree);
  const root = nodes.get(tree.core)!.child;
  return {
    async round(count) {
      root.send({ rounds: count });
      return (await messageOf(root, 'result')).value as number;
    },
    async stop() {
      await Promise.all([...nodes.values()].map(({ child }) => ended(child)));
    },
  };
}
