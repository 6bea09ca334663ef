import { keysOf } from './tables.ts';

/**
 * Ways in which a monitor can be made to misbehave: faults of `mkctl rogue`, of fault plans and of the simulator,
 * implemented in node-kernel/src/monitor/rogue. An honest core shows none of them.
 */
export const ROGUE_BEHAVIOURS = {
  spam_remap: { doc: 'Asks every core, without a pause, to drop translations of pages.' },
  spam_retype: { doc: 'Asks every core, without a pause, to agree to retypes.' },
  spam_revoke: { doc: 'Asks every core, without a pause, to take part in revokes.' },
  forge: { doc: 'Hands out, moves and revokes capabilities that it was never given, and acts in the name of others.' },
  lie: {
    doc: 'Answers wrongly: for others in rounds, as the owner of what it does not own, and with undeserved refusals.',
  },
  flood: { doc: 'Sends well-formed but unsolicited messages as fast as the links take them.' },
  garbage: { doc: 'Sends malformed frames and messages.' },
} as const satisfies Readonly<Record<string, { readonly doc: string }>>;

export type RogueBehaviour = keyof typeof ROGUE_BEHAVIOURS;
export const ROGUE_BEHAVIOUR_NAMES: readonly RogueBehaviour[] = keysOf(ROGUE_BEHAVIOURS);

export function isRogueBehaviour(name: string): name is RogueBehaviour {
  return Object.hasOwn(ROGUE_BEHAVIOURS, name);
}
