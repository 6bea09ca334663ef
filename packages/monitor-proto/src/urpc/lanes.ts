import { LANES, type MessageSpec } from '../messages/spec.ts';
import { MESSAGES, type MessageType } from '../messages/table.ts';

/** The lane of each message, as its number: 0 is the most urgent. */
export const LANE_OF = Object.fromEntries(
  (Object.entries(MESSAGES) as [MessageType, MessageSpec][]).map(([type, spec]) => [type, LANES.indexOf(spec.lane)]),
) as Record<MessageType, number>;
