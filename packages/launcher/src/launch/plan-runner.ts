import type { Terminal } from '../cli/terminal.ts';
import type { ClusterSession } from '../supervisor/cluster-session.ts';

export interface PlanOutput {
  say(text: string): void;
  readonly json: boolean;
  readonly terminal: Terminal;
}

export async function runPlan(_file: string, _session: ClusterSession, _output: PlanOutput): Promise<number> {
  return Promise.resolve(2);
}
