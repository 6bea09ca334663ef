import type { CoreAnswers } from '../../control/verb-answers.ts';
import type { QueryOptions } from '@mk/monitor-proto/knowledge/query';
import type { OctopusNotification, OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import type { Operation } from '../operations.ts';
import type { Verbs } from '../service.ts';
import type { QueryAnswer } from './query-answer.ts';

const ID = { min: 0, max: Number.MAX_SAFE_INTEGER } as const;

/** The knowledge service, as its verbs use it. */
interface KnowledgePort {
  octopus(request: OctopusRequest): Operation<OctopusReply>;
  next(id: number): Operation<OctopusNotification | null>;
  query(goal: string, options: QueryOptions): Operation<QueryAnswer>;
}

/** Requests of this core's monitor to the SKB, over its own channel and in its own name. */
export function knowledgeVerbs(knowledge: KnowledgePort): Verbs {
  return {
    query: {
      args: ['goal', 'time_limit_ms', 'max_solutions'],
      doc: 'All solutions of a Prolog goal.',
      run(args) {
        const timeLimitMs = args.whole('time_limit_ms', { min: 0, max: 30_000, otherwise: 0 });
        const maxSolutions = args.whole('max_solutions', { min: 0, max: 100_000, otherwise: 0 });
        return answerOf(knowledge, args.text('goal'), { timeLimitMs, maxSolutions });
      },
    },
    octopus: {
      args: ['request'],
      doc: 'One request to Octopus, and its reply; see monitor-proto/src/octopus/requests.ts.',
      run: (args) => knowledge.octopus(args.object('request') as OctopusRequest),
    },
    octopus_told: {
      args: ['id'],
      doc: 'Waits for the next notification of a trigger or subscription; null: the SKB has forgotten it.',
      run: (args) => knowledge.next(args.whole('id', ID)),
    },
  };
}

function* answerOf(knowledge: KnowledgePort, goal: string, options: QueryOptions): Operation<CoreAnswers['query']> {
  const { solutions, more, error } = yield* knowledge.query(goal, options);
  return { solutions, more, error: error === null ? null : { name: error.name, text: error.message } };
}
