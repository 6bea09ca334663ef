import type { PeerId } from '../ids.ts';
import type { WireMessage } from '../messages/codec.ts';

/**
 * The content of one WebSocket frame: a msgpack array that begins with one of these kinds.
 *
 * hello → welcome → prove is the handshake; refuse may answer any of them; data carries acks and messages; a volley
 * measures the link and is not a message: it is neither numbered, acknowledged nor resent.
 */
export const FRAME = { hello: 1, welcome: 2, prove: 3, refuse: 4, data: 5, volley: 6 } as const;

/** The identity that an end of a link claims. */
export interface Identity {
  readonly version: number;
  readonly cluster: string;
  readonly peer: PeerId;
  readonly incarnation: number;
  readonly instance: string;
}

/** How far an end has received on each lane of the channel to that peer instance: where the other end resumes. */
export type LaneMarks = readonly [urgent: number, monitor: number, bulk: number];
export const NO_MARKS: LaneMarks = [0, 0, 0];

export interface HelloFrame {
  readonly kind: typeof FRAME.hello;
  readonly from: Identity;
  readonly nonce: Uint8Array;
  readonly knows: string;
  readonly received: LaneMarks;
}
export interface WelcomeFrame {
  readonly kind: typeof FRAME.welcome;
  readonly from: Identity;
  readonly nonce: Uint8Array;
  readonly proof: Uint8Array;
  readonly knows: string;
  readonly received: LaneMarks;
}
export interface ProveFrame {
  readonly kind: typeof FRAME.prove;
  readonly proof: Uint8Array;
}
interface RefuseFrame {
  readonly kind: typeof FRAME.refuse;
  readonly code: number;
  readonly text: string;
}

/** Consecutive messages of one lane, the first of which has number `first`. */
export interface Batch {
  readonly lane: number;
  readonly first: number;
  readonly messages: readonly WireMessage[];
}

/**
 * Acks and messages, at the sender's Lamport time. `acks[lane]` is the number of the last message delivered in order;
 * `missing[lane]` counts those after it that have not come although later ones have.
 */
export interface DataFrame {
  readonly kind: typeof FRAME.data;
  /** The sender's Lamport clock when the frame left. */
  readonly lamport: number;
  readonly acks: LaneMarks;
  readonly missing: LaneMarks;
  readonly batches: readonly Batch[];
}

/**
 * The measurements of a receiver of volleys: average, variance, minimum, maximum; nanoseconds. Empty before the last
 * volley.
 */
export type VolleyFigures = readonly [average: number, variance: number, min: number, max: number] | readonly [];

/**
 * One frame of a rally, by which both ends of a link measure round trips: an odd number `left` asks the receiver to
 * return it at once with one less. `serve` counts the server's frames, so that an answer shows what it answers.
 */
export interface VolleyFrame {
  readonly kind: typeof FRAME.volley;
  readonly rally: number;
  readonly serve: number;
  readonly left: number;
  readonly figures: VolleyFigures;
}

export type HandshakeFrame = HelloFrame | WelcomeFrame | ProveFrame | RefuseFrame;
export type Frame = HandshakeFrame | DataFrame | VolleyFrame;
