import { steadyDates } from '@mk/monitor-proto/io/dates';
import { type Action, commandLine } from '../model/actions.ts';
import {
  BEAT_MS,
  isPageEventType,
  PAGE_VERSION,
  type PageEvent,
  type PageReply,
  type PageRequest,
  type Watched,
} from '../model/page-events.ts';
import { PageModel } from '../model/page-model.ts';
import { Pulse } from '../model/pulse.ts';
import { Player, recordingOf } from '../model/recording.ts';
import { clockText } from './format.ts';

/** An action taken from this page, and its outcome. */
export interface Deed {
  readonly id: number;
  readonly line: string;
  /** Null: not answered yet. */
  ok: boolean | null;
  text: string;
}

/** Pauses before a lost connection is retried. */
const RETRY_MS = { first: 300, longest: 5000 } as const;
const MOST_DEEDS = 20;
const MOST_FRAME_TIMES = 4000;
const TOKEN_KEY = 'mk-token';
/** A date that is set anew must make no live page look dead, nor a dead one live. */
const steadyDate = steadyDates();

/** The page's one connection: its data, and its listeners. */
export class Session {
  /** `silent`: open, but the server says nothing; `closed`: was open, and is being retried. */
  connection: 'opening' | 'open' | 'silent' | 'closed' = 'opening';
  mayAct = false;
  mayText = '';
  deeds: readonly Deed[] = [];
  player: Player | null = null;
  /**
   * Frames drawn since the page opened, and how long the latest ones kept the thread, in milliseconds: for
   * measurements.
   */
  frames = 0;
  readonly frameTimes: number[] = [];
  private liveModel = new PageModel();
  private replayed: PageEvent[] = [];
  private socket: WebSocket | null = null;
  private pulse = new Pulse(steadyDate());
  private retryMs: number = RETRY_MS.first;
  private nextDeed = 1;
  private watched = '';
  private frame = 0;
  private readonly drawers = new Set<() => void>();

  get model(): PageModel {
    return this.player?.model ?? this.liveModel;
  }

  /** The time that the page shows. */
  get now(): number {
    if (this.player !== null) return this.player.model.now;
    return steadyDate() + (Number.isFinite(this.pulse.aheadMs) ? this.pulse.aheadMs : 0);
  }

  /** What is wrong with the connection; null: the page is live. */
  get trouble(): string | null {
    if (this.player !== null) return null;
    if (this.connection === 'silent')
      return `not live: the cluster’s page server has said nothing since ${clockText(this.pulse.heardAt)}`;
    if (this.connection === 'opening') return 'connecting';
    if (this.connection !== 'open') return 'not live: no connection; trying again';
    const version = this.liveModel.hello?.version ?? PAGE_VERSION;
    return version === PAGE_VERSION ? null : 'the cluster’s page server has another version: reload this page';
  }

  /** Calls `draw` with every frame in which something is new; the returned function ends that. */
  onFrame(draw: () => void): () => void {
    this.drawers.add(draw);
    return () => void this.drawers.delete(draw);
  }

  /** Draws with the next frame. */
  changed(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.frames += 1;
      const startedAt = performance.now();
      for (const draw of this.drawers) draw();
      // Preact draws after this turn of the loop, before the next frame.
      setTimeout(() => this.drawn(performance.now() - startedAt));
    });
  }

  connect(): void {
    const url = new URL('events', location.href.split('#')[0]);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    this.socket = socket;
    this.pulse = new Pulse(steadyDate());
    // Ignores events of a connection that was given up.
    const whileOurs = (act: () => void): void => {
      if (this.socket === socket) act();
    };
    socket.addEventListener('open', () => whileOurs(() => this.opened()));
    socket.addEventListener('message', ({ data }) =>
      whileOurs(() => this.heard(JSON.parse(String(data)) as PageEvent | PageReply)),
    );
    socket.addEventListener('close', () => whileOurs(() => this.lost()));
  }

  /** Checks twice a beat whether the server is alive, for as long as the page is open. */
  watchPulse(): void {
    setInterval(() => this.feelPulse(), BEAT_MS / 2);
  }

  /** Identifies us; the token stays in this tab and goes only into this connection. */
  useToken(token: string): void {
    sessionStorage.setItem(TOKEN_KEY, token);
    this.send({ type: 'token', token });
  }

  watch(what: readonly Watched[], root: number, plan: string): void {
    const request = { type: 'watch', what, root, plan } as const;
    const text = JSON.stringify(request);
    if (text === this.watched) return;
    this.watched = text;
    this.send(request);
  }

  act(action: Action): void {
    const id = this.nextDeed;
    this.nextDeed += 1;
    const deed: Deed = { id, line: commandLine(action), ok: null, text: '' };
    this.deeds = [deed, ...this.deeds].slice(0, MOST_DEEDS);
    if (this.socket?.readyState === WebSocket.OPEN)
      this.send({ type: 'act', id, verb: action.verb, args: action.args });
    else Object.assign(deed, { ok: false, text: 'the page has no connection' });
    this.changed();
  }

  private feelPulse(): void {
    if (this.socket === null || this.player !== null) return;
    const state = this.pulse.state(steadyDate());
    if (state === 'gone') {
      // A connection without an answer may take minutes to close: the next one must not wait for it.
      const { socket } = this;
      this.lost();
      socket.close();
    } else if (state === 'silent' && this.connection === 'open') {
      this.connection = 'silent';
      this.changed();
    }
  }

  private drawn(ms: number): void {
    this.frameTimes.push(ms);
    if (this.frameTimes.length > MOST_FRAME_TIMES) this.frameTimes.splice(0, MOST_FRAME_TIMES / 2);
  }

  private opened(): void {
    this.connection = 'open';
    this.retryMs = RETRY_MS.first;
    this.liveModel = new PageModel();
    const token = sessionStorage.getItem(TOKEN_KEY);
    if (token !== null) this.send({ type: 'token', token });
    if (this.watched !== '') this.socket?.send(this.watched);
    this.changed();
  }

  private heard(said: PageEvent | PageReply): void {
    this.pulse.heard(steadyDate(), said.type === 'beat' ? said.t : undefined);
    const wasSilent = this.connection === 'silent';
    if (wasSilent) this.connection = 'open';
    if (said.type === 'beat') {
      if (wasSilent) this.changed();
      return;
    }
    if (said.type === 'may') {
      this.mayAct = said.act;
      this.mayText = said.text;
      if (this.replayed.length > 0) this.startReplay();
    } else if (said.type === 'answer') this.answered(said);
    else if (isPageEventType(said.type)) this.take(said);
    this.changed();
  }

  private take(event: PageEvent): void {
    if (event.type === 'hello' && event.mode === 'replay') this.replayed = [];
    if (event.type === 'hello' ? event.mode === 'replay' : this.replayed.length > 0) this.replayed.push(event);
    else this.liveModel.apply(event);
  }

  private startReplay(): void {
    if (this.player !== null) return;
    this.player = new Player(recordingOf(this.replayed));
    this.player.seek(this.player.recording.begin);
    this.replayed = [];
  }

  private answered({ id, ok, text }: Extract<PageReply, { type: 'answer' }>): void {
    this.deeds = this.deeds.map((deed) => (deed.id === id ? { ...deed, ok, text } : deed));
  }

  private lost(): void {
    this.socket = null;
    this.connection = 'closed';
    this.mayAct = false;
    this.deeds = this.deeds.map((deed) =>
      deed.ok === null ? { ...deed, ok: false, text: 'the connection was lost' } : deed,
    );
    this.changed();
    // A recording is complete.
    if (this.player !== null) return;
    setTimeout(() => this.connect(), Math.min(RETRY_MS.longest, this.retryMs));
    this.retryMs *= 2;
  }

  private send(request: PageRequest): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(request));
  }
}

/** Takes the token of `#token=…` out of the address, so that it is neither in the history nor on the screen. */
export function takeTokenFromAddress(): string | null {
  const parts = location.hash.slice(1).split('&');
  const token = parts.find((part) => part.startsWith('token='))?.slice('token='.length) ?? null;
  if (token === null) return null;
  const rest = parts.filter((part) => !part.startsWith('token=')).join('&');
  history.replaceState(null, '', `${location.pathname}${location.search}${rest === '' ? '' : `#${rest}`}`);
  return token;
}
