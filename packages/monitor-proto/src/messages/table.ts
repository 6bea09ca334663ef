import { assert } from '../assert.ts';
import { CAPABILITY_MESSAGES } from './capability.ts';
import { CIRCUIT_MESSAGES } from './circuit.ts';
import type { FieldKind, FieldType } from './fields.ts';
import { KNOWLEDGE_MESSAGES } from './knowledge.ts';
import type { MessageSpec } from './spec.ts';
import { MEMORY_MESSAGES } from './memory.ts';
import { MONITOR_MESSAGES } from './monitor.ts';
import { PROGRAM_MESSAGES } from './programs.ts';
import { REGISTRY_MESSAGES } from './registry.ts';
import { VIEW_MESSAGES } from './views.ts';

/** Every message of the protocol. Types, codec, validation and the reference page come from here. */
export const MESSAGES = {
  ...REGISTRY_MESSAGES,
  ...MONITOR_MESSAGES,
  ...CAPABILITY_MESSAGES,
  ...MEMORY_MESSAGES,
  ...KNOWLEDGE_MESSAGES,
  ...CIRCUIT_MESSAGES,
  ...PROGRAM_MESSAGES,
  ...VIEW_MESSAGES,
} as const satisfies Record<string, MessageSpec>;

/** Ordinals of messages that nobody sends any more; no other message may take them. */
export const RETIRED_ORDINALS: ReadonlyMap<number, string> = new Map([
  [7, 'bind_monitor_reply: step 5 of the join, when it opened the links'],
  [8, 'capops_ready: step 6 of the join, before views said who takes part'],
]);

export type MessageType = keyof typeof MESSAGES;
type FieldsOf<F extends Readonly<Record<string, FieldKind>>> = { readonly [N in keyof F]: FieldType<F[N]> };
/** A message of one type: its `type` and the fields of its row. */
export type MessageOf<T extends MessageType> = { readonly type: T } & FieldsOf<(typeof MESSAGES)[T]['fields']>;
/** Any message. */
export type Message = { [T in MessageType]: MessageOf<T> }[MessageType];

/** The message, asserted to be of one type: narrows what a map by type and number has kept. */
export function ofType<T extends MessageType>(message: Message, type: T): MessageOf<T> {
  assert(isOfType(message, type), `${message.type} arrived where ${type} was expected`);
  return message;
}

function isOfType<T extends MessageType>(message: Message, type: T): message is Message & MessageOf<T> {
  return message.type === type;
}

/** The messages that a party must have a handler for. */
export type MessageTo<P extends 'core' | 'skb' | 'client'> = {
  [T in MessageType]: (typeof MESSAGES)[T]['to'] extends P | 'any'
    ? T
    : 'any' extends (typeof MESSAGES)[T]['to']
      ? T
      : never;
}[MessageType];

/** The version of the protocol: peers with different versions refuse each other. */
export const PROTOCOL_VERSION = 1;
