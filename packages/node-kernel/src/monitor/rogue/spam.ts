/*
 * Requests that are each allowed: about this core's own memory and domains, under its own name. But they never stop,
 * and nobody waits for an answer.
 */
import { known } from '@mk/monitor-proto/assert';
import { type Capability, makeCapability } from '../../capability/model/capability.ts';
import { PHASES } from '../agreement/round-actions.ts';
import { encodeTaken } from '../memory/shootdowns.ts';
import { capabilityRound, type MessageMaker, type Mischief, roundRequest } from './mischief.ts';

const PAGE = 4096;
/** The pages at the end of a core's memory that it uses. */
const PAGES = 1024;

/** Drops translations of a domain that this core has never had. */
export const spamRemap: MessageMaker = (m) => {
  const { operations, core } = m.context;
  const payload = encodeTaken({
    domain: `${core}.${m.context.incarnation}.${2 ** 30}`,
    epoch: 1,
    ranges: [{ first: m.prng.nextInt(PAGES), count: 1 }],
  });
  return [roundRequest(m.context, { op: operations.nextId(), action: 'unmap', phase: PHASES.commit }, payload)];
};

/** Makes everybody agree to a retype that it then does not perform. */
export const spamRetype: MessageMaker = (m) => {
  const op = m.context.operations.nextId();
  const source = ownPage(m);
  return [
    capabilityRound(m, { op, action: 'check_retype', phase: PHASES.prepare }, source, [source.address, source.size]),
    capabilityRound(m, { op, action: 'check_retype', phase: PHASES.abort }, source, [source.address, source.size]),
  ];
};

/** Makes everybody freeze the descendants of a page of its own, and then does not revoke it. */
export const spamRevoke: MessageMaker = (m) => {
  const op = m.context.operations.nextId();
  const target = ownPage(m);
  return [
    capabilityRound(m, { op, action: 'revoke', phase: PHASES.prepare }, target),
    capabilityRound(m, { op, action: 'revoke', phase: PHASES.abort }, target),
  ];
};

function ownPage({ state, prng }: Mischief): Capability {
  const { address, size } = known(state).memory;
  return makeCapability('RAM', address + size - PAGE * (1 + prng.nextInt(PAGES)), PAGE);
}
