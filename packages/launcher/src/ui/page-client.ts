import { isKeyOf } from '@mk/monitor-proto/tables';
import { isRecord } from '@mk/monitor-proto/guards';
import { answerPings } from '@mk/monitor-proto/io/websocket-pings';
import { WebSocket } from 'ws';
import { actionError } from '@mk/ui/model/actions';
import { type ActionArgs, type PageEvent, type PageReply, type Watched, WATCHED } from '@mk/ui/model/page-events';
import { isToken } from './page-guard.ts';
import type { Attention, PageSource } from './page-source.ts';

/** A page that does not keep up loses log lines beyond this; otherwise they would pile up in our memory. */
const MOST_WAITING_BYTES = 8 << 20;
/**
 * A page that leaves more than this unread is disconnected; it reconnects when it reads again. The opening events do
 * not count.
 */
const MOST_UNREAD_BYTES = 2 * MOST_WAITING_BYTES;
/** A page that guesses tokens is disconnected. */
const MOST_WRONG_TOKENS = 5;

type Request = Readonly<Record<string, unknown>>;

/** One open page. */
export class PageClient {
  attention: Attention = { what: new Set(), root: 0, plan: 'multicast' };
  private mayAct = false;
  private wrongTokens = 0;
  private lostLines = 0;
  private answersPings = true;
  private mostUnreadBytes = MOST_UNREAD_BYTES;

  constructor(
    private readonly socket: WebSocket,
    private readonly source: PageSource,
    private readonly attentionChanged: () => void,
  ) {
    socket.on('message', (data, isBinary) => this.heard(isBinary ? '' : String(data)));
    socket.on('pong', () => (this.answersPings = true));
    answerPings(socket);
    socket.on('error', () => socket.terminate());
  }

  /** Sends everything from before the page opened. */
  open(events: readonly PageEvent[]): void {
    for (const event of events) this.send(event);
    this.send({
      type: 'may',
      act: false,
      text: this.source.token === null ? 'a recording cannot be acted on' : READ_ONLY,
    });
    // A recording is sent whole, however long it is.
    this.mostUnreadBytes += this.socket.bufferedAmount;
  }

  tell(event: PageEvent): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (event.type !== 'log') return this.say(event);
    if (this.socket.bufferedAmount > MOST_WAITING_BYTES) {
      this.lostLines += event.lines.length + event.lost;
      return;
    }
    this.say(this.lostLines === 0 ? event : { ...event, lost: event.lost + this.lostLines });
    this.lostLines = 0;
  }

  /** Shows the page that we are alive: it cannot see the WebSocket's own pings. */
  beat(): void {
    this.say({ type: 'beat', t: Date.now() });
  }

  /** Ends a connection that has not answered since the last time. */
  ping(): void {
    if (!this.answersPings) return this.socket.terminate();
    this.answersPings = false;
    this.socket.ping();
  }

  close(): void {
    this.socket.close(1001, 'the cluster ends');
    this.socket.terminate();
  }

  private say(said: PageEvent | PageReply): void {
    if (this.socket.bufferedAmount > this.mostUnreadBytes) this.socket.terminate();
    else this.send(said);
  }

  private send(said: PageEvent | PageReply): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(said));
  }

  private heard(text: string): void {
    const request = parse(text);
    const type = request?.['type'];
    if (request === null || typeof type !== 'string' || !isKeyOf(this.handlers, type)) return this.refuse();
    this.handlers[type](request);
  }

  private readonly handlers = {
    token: ({ token }: Request): void => {
      const wanted = this.source.token;
      this.mayAct = wanted !== null && typeof token === 'string' && isToken(token, wanted);
      if (!this.mayAct && (this.wrongTokens += 1) >= MOST_WRONG_TOKENS)
        return this.socket.close(1008, 'too many wrong tokens');
      this.say({
        type: 'may',
        act: this.mayAct,
        text: this.mayAct ? '' : 'the token is not this cluster’s; mkctl ui prints it',
      });
    },
    watch: ({ what, root, plan }: Request): void => {
      const wanted = Array.isArray(what) ? WATCHED.filter((name) => what.includes(name)) : [];
      this.attention = {
        what: new Set<Watched>(wanted),
        root: typeof root === 'number' && Number.isSafeInteger(root) ? root : 0,
        plan: typeof plan === 'string' ? plan.slice(0, 20) : 'multicast',
      };
      this.attentionChanged();
    },
    act: ({ id, verb, args }: Request): void => {
      if (typeof id !== 'number' || typeof verb !== 'string') return this.refuse();
      void this.act(id, verb, isRecord(args) ? (args as ActionArgs) : {});
    },
  };

  /**
   * A value that is not of its type is not converted into it: `{"toString":1}` throws, and what throws here ends the
   * launcher. Who sends this needs no token.
   */
  private refuse(): void {
    this.socket.close(1008, 'not a request of the page');
  }

  private async act(id: number, verb: string, args: ActionArgs): Promise<void> {
    const answer = (ok: boolean, text: string): void => this.say({ type: 'answer', id, ok, text });
    if (!this.mayAct) return answer(false, READ_ONLY);
    const wrong = actionError(verb, args);
    if (wrong !== null) return answer(false, wrong);
    try {
      answer(true, await this.source.act(verb, args));
    } catch (error) {
      answer(false, error instanceof Error ? error.message : String(error));
    }
  }
}

const READ_ONLY = 'this page only looks: open it with the cluster’s token, as mkctl ui prints it';

function parse(text: string): Request | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
