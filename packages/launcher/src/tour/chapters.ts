import { CAPABILITIES } from './chapters/capabilities.ts';
import { CRASH } from './chapters/crash.ts';
import { KNOWLEDGE } from './chapters/knowledge.ts';
import { LATENCIES } from './chapters/latencies.ts';
import { LINK_CHANGE } from './chapters/link-change.ts';
import { PARTITION } from './chapters/partition.ts';
import { PROGRAMS } from './chapters/programs.ts';
import { ROUNDS_OVER_PLANS } from './chapters/rounds.ts';
import { SHARED_FRAME } from './chapters/shared-frame.ts';
import type { Chapter } from './tour.ts';

/** The chapters of the tour, in order, between boot and shutdown. */
export const CHAPTERS: readonly Chapter[] = [
  LATENCIES,
  ROUNDS_OVER_PLANS,
  LINK_CHANGE,
  CAPABILITIES,
  KNOWLEDGE,
  PROGRAMS,
  SHARED_FRAME,
  CRASH,
  PARTITION,
];
