import type { CertifiedNames } from './handshake/certified.ts';
import type { LinkId, Nanos, PeerId } from './ids.ts';
import type { LogEventName, LogFields } from './log-events.ts';

/**
 * The boundary between a pure state machine (a core's kernel, the SKB) and its host: a Node process or the simulator.
 * `step(event, now)` is synchronous, reads no clock and no entropy, and returns what the host must do.
 */
export interface StateMachine<Event = HostEvent, Out = Effect> {
  step(event: Event, now: Nanos): readonly Out[];
}

/** The events that a host delivers to every state machine. */
export type HostEvent =
  | { readonly type: 'start' }
  /**
   * Someone has opened a link to us (even id); `first`: the frame that came with the opening. A link that we opened
   * reports nothing before its first frame.
   */
  | {
      readonly type: 'link_up';
      readonly link: LinkId;
      readonly first: Uint8Array | null;
      /** Whom the other end’s certificate lets it be; absent: the link has no TLS. */
      readonly names?: CertifiedNames;
    }
  | { readonly type: 'link_down'; readonly link: LinkId; readonly reason: string }
  | { readonly type: 'frame_received'; readonly link: LinkId; readonly frame: Uint8Array }
  | { readonly type: 'timer_fired' }
  | { readonly type: 'control_request'; readonly id: number; readonly request: ControlRequest }
  /**
   * The process is asked to end: say goodbye, then `halt`. `leaves`: nobody will prove its death, so a view must first
   * go on without it.
   */
  | { readonly type: 'stop'; readonly leaves?: boolean };

/** A person's or a tool's request over the control port: a verb of the receiver's control table, and its arguments. */
export interface ControlRequest {
  readonly verb: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** The effects that every state machine may ask of its host. */
export type Effect =
  | { readonly type: 'send_frame'; readonly link: LinkId; readonly peer: PeerId; readonly frame: Uint8Array }
  /**
   * Opens a link under this odd id; `first`, its first frame, travels with the opening unless the link's frames are
   * shaped.
   */
  | {
      readonly type: 'open_link';
      readonly link: LinkId;
      readonly peer: PeerId;
      readonly address: string;
      readonly first: Uint8Array;
    }
  /** The link now belongs to this peer: the host shapes its frames accordingly. */
  | { readonly type: 'link_bound'; readonly link: LinkId; readonly peer: PeerId }
  /** Both ends of the link have proved themselves, as far as this end knows: its age counts from now. */
  | { readonly type: 'handshake_ended'; readonly link: LinkId }
  | { readonly type: 'close_link'; readonly link: LinkId; readonly reason: string }
  /** Send `timer_fired` at this time or soon after; replaces the earlier request. */
  | { readonly type: 'set_timer'; readonly at: Nanos }
  | { readonly type: 'log'; readonly event: LogEventName; readonly lamport: number; readonly fields: LogFields }
  | { readonly type: 'control_reply'; readonly id: number; readonly reply: ControlReply }
  /** End the process; an error makes its exit status 1. */
  | { readonly type: 'halt'; readonly error: string | null };

export type ControlReply<T = unknown> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string; readonly text: string };
