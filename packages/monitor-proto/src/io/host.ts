import { isKeyOf } from '../tables.ts';
import { handlerFor } from '../handlers.ts';
import { AssertionFailure, known } from '../assert.ts';
import type { CertificateError, CertificateFault } from '../certificate-errors.ts';
import { certifiedName } from '../handshake/certified.ts';
import { type LinkId, type Nanos, NO_CORE, type PeerId } from '../ids.ts';
import { OPENING, type Retiming, type Verdict } from '../link/link-model.ts';
import { type MessageCosts, Occupancy } from '../link/occupancy.ts';
import { messagesIn } from '../urpc/messages-in.ts';
import type { ControlReply, ControlRequest, Effect, HostEvent, StateMachine } from '../step.ts';
import { nowNs } from './clock.ts';
import type { LogEventName, LogFields } from '../log-events.ts';
import { type MetricFamily, metricsText } from '../metrics.ts';
import { httpHandler } from './http-server.ts';
import { LONGEST_TIMEOUT_MS } from './long-timer.ts';
import { Ingress } from './ingress.ts';
import { LinkShaper } from './link-shaper.ts';
import type { Logger } from './logger.ts';
import { isDialled, type Transport, WebSocketTransport } from './transport.ts';
import type { MessageTap } from '../endpoint/message-trace.ts';
import type { Tracer } from './tracer.ts';
import type { SpanExporter } from './span-exporter.ts';
import { TraceVerb } from './trace-verb.ts';
import { TlsEnd, type TlsSettings } from './tls.ts';
import { refusalMetrics, trafficMetrics } from './traffic-metrics.ts';
import { Vitals } from './vitals.ts';

/** A state machine as a host runs it. */
export interface Hosted<Event, Out> extends StateMachine<Event, Out> {
  health(now: Nanos): { readonly ok: boolean; readonly [key: string]: unknown };
  metrics(now: Nanos): string;
}

/** The differences between a core's process and the SKB's. */
export interface HostOptions<Out> {
  readonly controlToken: string;
  /** The token for /metrics and /healthz; absent: they need none. */
  readonly metricsToken?: string;
  /** Absent: links and requests travel over plain TCP. */
  readonly tls?: TlsSettings;
  readonly logger: Pick<Logger, 'write' | 'metrics'>;
  /** Exports operations as spans; absent: they are not exported. */
  readonly spans?: SpanExporter | null;
  /** Makes the state machine report each message to the tap, or stop with null. */
  tap?(tap: MessageTap | null): void;
  /** Whether lines of this event are written; absent: all are. */
  logs?(event: LogEventName): boolean;
  /** Metrics besides those of the state machine and this host. */
  metrics?(): readonly MetricFamily[];
  /** The verdict on a frame to this peer, on a link whose handshake ended at `openedAt`. */
  verdict(peer: PeerId, now: Nanos, bytes: number, openedAt: Nanos): Verdict;
  /** Whether nothing shapes the frames to this peer. */
  clear(peer: PeerId, now: Nanos): boolean;
  /** Performs the effects that only this kind of process has. */
  perform(effect: Exclude<Out, Effect>): void;
  /** Serves the process's own verbs; null: the state machine's. */
  control(request: ControlRequest, now: Nanos): ControlReply | Promise<ControlReply> | null;
  halted(error: string | null): void;
}

/** Narrows by name: no machine has an event of its own under the name of one that every host delivers. */
function isOfType<T extends HostEvent['type']>(
  event: { readonly type: string },
  type: T,
): event is Extract<HostEvent, { readonly type: T }> {
  return event.type === type;
}

/** The options of a host that say who may connect, from a process's settings. */
export function guardsOf({
  tls,
  metricsToken,
}: {
  readonly tls?: TlsSettings;
  readonly metricsToken?: string;
}): Pick<HostOptions<never>, 'tls' | 'metricsToken'> {
  return { ...(tls === undefined ? {} : { tls }), ...(metricsToken === undefined ? {} : { metricsToken }) };
}

/** Events handled between two looks at the sockets: at about 20 µs each, a turn stays under 10 ms. */
const BATCH = 512;

/**
 * Hosts a state machine in a Node process: turns sockets, timers and control requests into events, performs effects.
 * Sockets only enqueue; a turn handles a bounded batch.
 */
export class Host<Event extends { readonly type: string }, Out extends { readonly type: string }> {
  readonly transport: Transport;
  private readonly queue: (Event | HostEvent)[] = [];
  /** Whether a turn is under way or scheduled. */
  private busy = false;
  private timer: NodeJS.Timeout | null = null;
  private readonly shaper: LinkShaper<HostedLink>;
  private readonly links = new Map<LinkId, HostedLink>();
  /** Links being opened, with the first frame where the link model must see it before it leaves. */
  private readonly opening = new Map<LinkId, Uint8Array | null>();
  private readonly replies = new Map<number, (reply: ControlReply) => void>();
  /** Null: messages have only their real cost. */
  private occupied: Occupied | null = null;
  private readonly vitals = new Vitals();
  /** Set while the process is traced. */
  private tracer: Tracer | null = null;
  private readonly tracing = new TraceVerb((tracer) => {
    this.tracer = tracer;
    this.options.tap?.(tracer);
  });
  private nextRequest = 1;
  private halted = false;
  bytesSent = 0;
  framesSent = 0;

  constructor(
    private readonly machine: Hosted<Event | HostEvent, Out | Effect>,
    private readonly options: HostOptions<Out | Effect>,
  ) {
    const http = httpHandler(
      {
        health: () => machine.health(nowNs()),
        metrics: () => this.metrics(),
        control: (request) => this.control(request),
      },
      options.controlToken,
      options.metricsToken,
    );
    this.transport = new WebSocketTransport(
      {
        linkUp: (link, first, names) => {
          if (isDialled(link)) this.sendHeld(link);
          else this.post({ type: 'link_up', link, first, ...(names === undefined ? {} : { names }) });
        },
        linkDown: (link, reason) => {
          const down = (): void => this.post({ type: 'link_down', link, reason });
          if (this.occupied === null) down();
          else this.occupied.ingress.behind(link, down);
        },
        frame: (link, frame) => {
          if (this.occupied === null) this.take(link, frame);
          else this.takeInTurn(link, frame, this.occupied);
        },
        connectionRefused: (fault, from) => this.connectionRefused(fault, from),
      },
      http,
      options.tls === undefined ? null : new TlsEnd(options.tls),
    );
    this.shaper = new LinkShaper<HostedLink>({
      nowNs,
      verdict: ({ peer, openedAt }, now, bytes) => options.verdict(peer, now, bytes, openedAt),
      onReset: ({ id }) => this.transport.reset(id),
    });
  }

  /** Makes messages occupy this process when it sends and takes them. */
  occupy(costs: MessageCosts): void {
    this.occupied ??= { occupancy: new Occupancy(costs), ingress: new Ingress(nowNs) };
  }

  private take(link: LinkId, frame: Uint8Array): void {
    this.post({ type: 'frame_received', link, frame: this.busy ? Buffer.from(frame) : frame });
  }

  private takeInTurn(link: LinkId, frame: Uint8Array, { occupancy, ingress }: Occupied): void {
    const now = nowNs();
    const dueNs = occupancy.take(now, this.links.get(link)?.peer ?? NO_PEER, messagesIn(frame));
    if (dueNs <= now && ingress.held === 0) return this.take(link, frame);
    const kept = Buffer.from(frame);
    return ingress.hold(link, dueNs, () => this.take(link, kept));
  }

  /** Recomputes when the frames that the link model holds back for a peer are due. */
  retimeFrames(to: PeerId, retime: Retiming): void {
    this.shaper.retime(({ peer }) => peer === to, retime);
  }

  /**
   * Queues an event. Outside a turn one begins at once: a microtask or an immediate in between costs a tenth of a round
   * trip. Events that arise during a turn are handled at its end.
   */
  post(event: Event | HostEvent): void {
    if (this.busy) return void this.queue.push(event);
    this.busy = true;
    this.handle(event);
    this.turn();
  }

  private metrics(): string {
    const now = nowNs();
    const core = String(this.machine.health(now)['core']);
    const { logger, metrics, spans } = this.options;
    const traffic = trafficMetrics(this.bytesSent, this.shaper.counters, this.shaper.underWay);
    const families = [
      ...traffic,
      ...refusalMetrics(this.refusals),
      ...logger.metrics(),
      ...(metrics?.() ?? []),
      ...(spans?.metrics() ?? []),
      ...this.vitals.metrics(),
    ];
    return this.machine.metrics(now) + metricsText(families, { core });
  }

  /** The state machine never hears of such a connection, which was not a link yet. */
  private connectionRefused({ error, text, ours }: CertificateFault, from: string): void {
    this.refusals.set(error, (this.refusals.get(error) ?? 0) + 1);
    const fields = { peer: NO_CORE, link: 0, error, text: `${from}: ${text}`, ours };
    if (this.options.logs?.('link_refused') ?? true) this.options.logger.write('link_refused', 0, fields);
  }
  private readonly refusals = new Map<CertificateError, number>();

  /** Passes the process's own log events to the tracer. */
  noted(event: LogEventName, fields: LogFields): void {
    this.tracer?.logged(event, fields);
  }

  /** Asks this process or its state machine; resolves to the answer. */
  async control(request: ControlRequest): Promise<ControlReply> {
    if (this.halted) return { ok: false, error: 'SHUTTING_DOWN', text: 'the process is ending' };
    const traced = this.tracing.control(request);
    if (traced !== null) return traced;
    try {
      const own = await this.options.control(request, nowNs());
      if (own !== null) return own;
    } catch (error) {
      return this.faulty(request, error);
    }
    return new Promise((resolve) => {
      const id = this.nextRequest++;
      this.replies.set(id, resolve);
      this.tracer?.asked(id, request.verb);
      this.post({ type: 'control_request', id, request });
    });
  }

  private readonly turn = (): void => {
    if (this.queue.length > 0) for (const event of this.queue.splice(0, BATCH)) this.handle(event);
    if (this.queue.length > 0) setImmediate(this.turn);
    else this.busy = false;
  };

  private handle(event: Event | HostEvent): void {
    if (this.halted) return;
    const { tracer } = this;
    tracer?.begin();
    const effects = this.step(event);
    for (let i = 0; i < effects.length; i++) this.perform(known(effects[i]));
    tracer?.end(event.type);
    // Only now: until the state machine has handled the event, it may still send on the link.
    if (isOfType(event, 'link_down')) this.forgetLink(event.link);
  }

  /** Our own failure in a control request becomes its answer; any other ends the process. */
  private step(event: Event | HostEvent): readonly (Out | Effect)[] {
    if (!isOfType(event, 'control_request')) return this.machine.step(event, nowNs());
    const { id, request } = event;
    try {
      return this.machine.step(event, nowNs());
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      this.performers.control_reply({ type: 'control_reply', id, reply: this.faulty(request, error) });
      return [];
    }
  }

  private faulty({ verb }: ControlRequest, error: unknown): ControlReply {
    const { name, message, stack = message } = error instanceof Error ? error : new Error(String(error));
    this.options.logger.write('request_failed', 0, { request: verb.slice(0, 80), error: name, text: stack });
    return { ok: false, error: 'INTERNAL', text: `${verb.slice(0, 80)}: ${message}` };
  }

  private perform(effect: Out | Effect): void {
    if (this.isOwn(effect)) handlerFor(this.performers, effect.type)(effect);
    // only an effect of `Out` is left, but no guard can narrow a type parameter
    else this.options.perform(effect as never);
  }

  private isOwn(effect: Out | Effect): effect is Effect {
    return isKeyOf(this.performers, effect.type);
  }

  private readonly performers: { readonly [T in Effect['type']]: (effect: Extract<Effect, { type: T }>) => void } = {
    send_frame: ({ link, peer, frame }) => {
      if (this.opening.has(link)) return; // lost, as on a broken link
      const hosted = this.hosted(link);
      if (hosted.peer === NO_PEER) hosted.peer = peer;
      this.shapeAndSend(hosted, frame);
    },
    open_link: ({ link, peer, address, first }) => {
      const clear = this.options.clear(peer, nowNs());
      this.hosted(link).peer = peer;
      this.opening.set(link, clear ? null : first);
      if (clear) this.countSent(first);
      this.transport.open(link, address, clear ? first : null, certifiedName(peer));
    },
    link_bound: ({ link, peer }) => {
      this.hosted(link).peer = peer;
    },
    handshake_ended: ({ link }) => {
      this.hosted(link).openedAt = nowNs();
    },
    // Frames sent earlier, such as a refusal, may still be in the shaper and leave first (T3).
    close_link: ({ link, reason }) => {
      this.opening.delete(link);
      this.shaper.afterLast(this.hosted(link), () => {
        this.transport.close(link, reason);
        this.forgetLink(link);
      });
    },
    set_timer: ({ at }) => {
      if (this.timer !== null) clearTimeout(this.timer);
      const pauseMs = Math.max(0, Math.ceil((at - nowNs()) / 1e6));
      this.timer = setTimeout(() => this.post({ type: 'timer_fired' }), Math.min(LONGEST_TIMEOUT_MS, pauseMs));
    },
    log: ({ event, lamport, fields }) => {
      this.tracer?.logged(event, fields);
      this.options.spans?.logged(event, fields);
      this.options.logger.write(event, lamport, fields);
    },
    control_reply: ({ id, reply }) => {
      this.tracer?.answered(id, reply.ok ? 'ok' : reply.error);
      this.replies.get(id)?.(reply);
      this.replies.delete(id);
    },
    halt: ({ error }) => this.halt(error),
  };

  /** A link that we opened is up: the first frame, which the link model held back, leaves now. */
  private sendHeld(link: LinkId): void {
    const frame = this.opening.get(link) ?? null;
    this.opening.delete(link);
    if (frame !== null) this.shapeAndSend(this.hosted(link), frame);
  }

  private shapeAndSend(link: HostedLink, frame: Uint8Array): void {
    this.countSent(frame);
    const now = nowNs();
    if (this.occupied === null) return this.shaper.send(link, frame, now, link.send);
    const leaveNs = this.occupied.occupancy.leave(now, link.peer, messagesIn(frame));
    return this.shaper.sendAt(link, frame, leaveNs, link.send);
  }

  private countSent(frame: Uint8Array): void {
    this.bytesSent += frame.length;
    this.framesSent += 1;
  }

  private forgetLink(link: LinkId): void {
    this.occupied?.ingress.forget(link);
    this.links.delete(link);
    this.opening.delete(link);
  }

  private hosted(id: LinkId): HostedLink {
    let link = this.links.get(id);
    if (link === undefined) {
      link = { id, peer: NO_PEER, openedAt: OPENING, send: (frame) => this.transport.send(id, frame) };
      this.links.set(id, link);
    }
    return link;
  }

  private halt(error: string | null): void {
    this.halted = true;
    if (this.timer !== null) clearTimeout(this.timer);
    for (const reply of this.replies.values())
      reply({ ok: false, error: 'SHUTTING_DOWN', text: 'the process is ending' });
    this.shaper.close();
    this.occupied?.ingress.close();
    this.vitals.close();
    this.options.spans?.flush();
    this.tracing.end();
    this.transport.shutdown();
    this.options.halted(error);
  }
}

interface Occupied {
  readonly occupancy: Occupancy;
  readonly ingress: Ingress;
}

/** A link as the link model sees it. */
interface HostedLink {
  readonly id: LinkId;
  peer: PeerId;
  /** When its handshake ended. */
  openedAt: Nanos;
  /** One function per link, so that passing a frame allocates nothing. */
  readonly send: (frame: Uint8Array) => void;
}

const NO_PEER: PeerId = -1;
