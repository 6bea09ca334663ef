import { type CoreId, isCore, type PeerId, peerName } from '@mk/monitor-proto/ids';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { peersOfRule } from '@mk/monitor-proto/link/rule-scope';
import { ControlError } from '@mk/libmk/io/control-call';
import { CommandError } from '../cli/usage-error.ts';

/** A process as people name it: a core's number, or `skb`. */
export type FaultTarget = number | string;

/** The result of a fan-out: the answers, and who gave none. */
export interface FaultAnswers<Value> {
  readonly values: readonly Value[];
  readonly missing: readonly FaultTarget[];
}

/** Asks these processes at once. Rejects if one of them calls the request itself wrong. */
export async function askTargets<Target extends { readonly peer: PeerId }, Value>(
  targets: readonly Target[],
  ask: (target: Target) => Promise<Value>,
): Promise<FaultAnswers<Value>> {
  const values: Value[] = [];
  const missing: PeerId[] = [];
  await Promise.all(
    targets.map(async (target) => {
      try {
        values.push(await ask(target));
      } catch (error) {
        if (error instanceof ControlError && error.error === 'BAD_REQUEST') throw new CommandError(error.message);
        missing.push(target.peer);
      }
    }),
  );
  return { values, missing: missing.sort((a, b) => a - b).map(peerName) };
}

/** Refuses a rule about an unknown core: it would do nothing. */
export function refuseUnknownCores(rule: FaultRule, isKnown: (core: CoreId) => boolean): void {
  const unknown = peersOfRule(rule).find((peer) => isCore(peer) && !isKnown(peer));
  if (unknown !== undefined) throw new CommandError(`there is no core ${unknown}; mkctl ps lists the cores`);
}
