/*
 * Requests that crashed an SKB. A client repeats an unanswered request and would crash every later life with it, so
 * later lives refuse that request, whoever sends it.
 */
import type { Message } from '@mk/monitor-proto/messages/table';
import type { ControlRequest } from '@mk/monitor-proto/step';

/** A request's content, without sender and number. */
export function requestText(message: Message): string | null {
  if (message.type === 'oct_request') return `octopus ${message.request}`;
  if (message.type === 'skb_query') return `query ${message.goal}`;
  if (message.type === 'skb_rules') return `rules ${message.name} ${message.text}`;
  return null;
}

/** Null if its arguments are nested too deeply to be written out. */
export function controlText({ verb, args }: ControlRequest): string | null {
  try {
    return `control ${verb} ${JSON.stringify(args)}`;
  } catch {
    return null;
  }
}

/** The requests that earlier lives recorded. Almost always empty, so that looking a request up costs nothing. */
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
