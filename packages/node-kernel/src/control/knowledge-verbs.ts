import type { OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import type { Kernel } from '../kernel.ts';
import type { Operation } from '../monitor/operations.ts';
import type { Verb } from './verbs.ts';

const ID = { min: 0, max: Number.MAX_SAFE_INTEGER } as const;

/** What this core's monitor asks of the SKB, over its own channel and in its own name. */
export const KNOWLEDGE_VERBS: Readonly<Record<string, Verb>> = {
  query: {
    args: ['goal', 'time_limit_ms', 'max_solutions'],
    doc: 'All solutions of a Prolog goal.',
    run(kernel, args) {
      const timeLimitMs = args.whole('time_limit_ms', { min: 0, max: 30_000, otherwise: 0 });
      const maxSolutions = args.whole('max_solutions', { min: 0, max: 100_000, otherwise: 0 });
      return answerOf(kernel, args.text('goal'), { timeLimitMs, maxSolutions });
    },
  },
  octopus: {
    args: ['request'],
    doc: 'One request to Octopus, and its reply; see monitor-proto/src/octopus/requests.ts.',
    run: (kernel, args) => kernel.monitor.knowledge.octopus(args.object('request') as unknown as OctopusRequest),
  },
  octopus_told: {
    args: ['id'],
    doc: 'Waits for the next notification of a trigger or subscription; null: the SKB has forgotten it.',
    run: (kernel, args) => kernel.monitor.knowledge.next(args.whole('id', ID)),
  },
};

function* answerOf(
  kernel: Kernel,
  goal: string,
  options: { timeLimitMs: number; maxSolutions: number },
): Operation<unknown> {
  const { solutions, more, error } = yield* kernel.monitor.knowledge.query(goal, options);
  return { solutions, more, error: error === null ? null : { name: error.name, text: error.message } };
}
