import type { OctopusTransport } from '@mk/libmk/octopus/transport';
import type { OctopusNotification, OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { CoreAnswers } from './answers.ts';

/** Calls a verb of one core's control port. */
export type AskCore = <V extends keyof CoreAnswers>(verb: V, args: object) => Promise<AnswerOf<CoreAnswers, V>>;

/**
 * Octopus through a core's control port: every request leaves from that core's monitor. For one-shot triggers; watches
 * and subscriptions need a client of their own.
 */
export function octopusOfCore(ask: AskCore): OctopusTransport {
  const listeners = new Set<(notification: OctopusNotification) => void>();
  const resets = new Set<() => void>();
  const tellNext = async (id: number): Promise<void> => {
    const told = await ask('octopus_told', { id });
    if (told === null) for (const reset of [...resets]) reset();
    else for (const listener of [...listeners]) listener(told);
  };
  return {
    async request(request: OctopusRequest) {
      const reply = await ask('octopus', { request });
      // If the core ends while a caller waits, the wait itself fails: nothing is left to report here.
      if (reply.installed && 'trigger' in request && request.trigger !== undefined)
        void tellNext(request.trigger.id).catch(() => undefined);
      return reply;
    },
    onNotification: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onReset: (listener) => {
      resets.add(listener);
      return () => void resets.delete(listener);
    },
  };
}
