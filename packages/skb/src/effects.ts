import type { Effect, HostEvent } from '@mk/monitor-proto/step';
import type { AgreedView } from './registry/founding.ts';
import type { KnowledgeEffect, KnowledgeEvent } from './knowledge/effects.ts';

/** What the SKB's host reports to it. */
export type SkbEvent = HostEvent | KnowledgeEvent;

/** Effects of the SKB beyond those of every state machine. */
export type SkbEffect =
  | Effect
  | KnowledgeEffect
  /** A view is in force; later lives of the SKB must know it. */
  | { readonly type: 'view_agreed'; readonly view: AgreedView }
  /** All expected cores are bound to one another; `elapsedMs` since the SKB began. */
  | { readonly type: 'mesh_complete'; readonly cores: number; readonly links: number; readonly elapsedMs: number };
