/** Starts an engine as the SKB does: the built thread, and the state saved by the build. */
import { readFileSync } from 'node:fs';
import { WorkerEngine } from '../../src/engine/io/worker-engine.ts';
import { builtProgram } from '../../../../test/integration/built-programs.ts';

export function startEngine(onRestart: (reason: string) => void = () => undefined): WorkerEngine {
  const state = readFileSync(builtProgram('skb-engine.prc'));
  return new WorkerEngine({ workerPath: builtProgram('skb-engine.cjs'), state, onRestart });
}
