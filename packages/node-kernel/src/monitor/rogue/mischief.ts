import { known } from '@mk/monitor-proto/assert';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { Prng } from '@mk/monitor-proto/prng';
import type { Capability } from '../../capability/model/capability.ts';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';
import { coreSetOf } from '../agreement/core-set.ts';
import { encodeEnvelope } from '../agreement/envelope.ts';
import { type Phase, ROUND_ACTIONS, type RoundActionName } from '../agreement/round-actions.ts';
import { CAPABILITY_PAYLOAD } from '../capops/payload.ts';
import type { MonitorContext } from '../context.ts';

/** The material of misbehaviour: this core's identity, the cores it reaches, what it has seen, and chance. */
export interface Mischief {
  readonly context: MonitorContext;
  readonly state: LocalCapabilities;
  readonly prng: Prng;
}

/** Makes the next messages to a peer. */
export type MessageMaker = (m: Mischief, to: CoreId) => readonly Message[];
/** Makes bytes to send in place of a frame. */
export type FrameMaker = (m: Mischief, to: Peer) => Uint8Array;

/** A random element; the list is not empty. */
export function oneOf<T>({ prng }: Mischief, list: readonly T[]): T {
  return known(list[prng.nextInt(list.length)]);
}

/** A core other than `but`, if there is one. */
export function anybodyBut(m: Mischief, but: CoreId): CoreId {
  const others = m.context.members.filter((core) => core !== but);
  return others.length === 0 ? but : oneOf(m, others);
}

/** The round and phase that a forged message claims. */
interface Forged {
  readonly op: OperationId;
  readonly action: RoundActionName;
  readonly phase: Phase;
}

/** A phase of a round about a capability, as its initiator would send it. */
export function capabilityRound(
  { context }: Mischief,
  forged: Forged,
  capability: Capability,
  rest: readonly number[] = [],
): Message {
  const members = coreSetOf([context.core, ...context.members]);
  // Above the numbers of true rounds, none of which it declares over, so that its requests are never late.
  const body = CAPABILITY_PAYLOAD.encode({ capability, rest });
  const payload = encodeEnvelope({ members, round: 2 ** 40, oldest: 0, seals: [], body });
  return roundRequest(context, forged, payload);
}

export function roundRequest({ view }: MonitorContext, { op, action, phase }: Forged, payload: Uint8Array): Message {
  return { type: 'round_request', op, view, phase, kind: ROUND_ACTIONS[action].ordinal, below: [], payload };
}
