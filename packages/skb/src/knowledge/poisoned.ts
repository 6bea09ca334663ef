import type { Message } from '@mk/monitor-proto/messages/table';
import type { ControlRequest } from '@mk/monitor-proto/step';

/*
 * Requests that ended a life of the SKB. Whoever asks again what was not answered would end the next life with it, and each
 * one after; so a later life refuses the same request, whoever sends it.
 */

/** A request by what it asks, without who asks and under which number. */
export function requestText(message: Message): string | null {
  if (message.type === 'oct_request') return `octopus ${message.request}`;
  if (message.type === 'skb_query') return `query ${message.goal}`;
  if (message.type === 'skb_rules') return `rules ${message.name} ${message.text}`;
  return null;
}

/** Null: its arguments are nested more deeply than can be written out. */
export function controlText({ verb, args }: ControlRequest): string | null {
  try {
    return `control ${verb} ${JSON.stringify(args)}`;
  } catch {
    return null;
  }
}

/** What earlier lives remembered. Almost always empty, so that a request costs nothing. */
export class Poisoned {
  private readonly texts: ReadonlySet<string>;

  constructor(texts: Iterable<string> = []) {
    this.texts = new Set(texts);
  }

  has(message: Message): boolean {
    if (this.texts.size === 0) return false;
    const text = requestText(message);
    return text !== null && this.texts.has(text);
  }

  hasControl(request: ControlRequest): boolean {
    if (this.texts.size === 0) return false;
    const text = controlText(request);
    return text !== null && this.texts.has(text);
  }
}
