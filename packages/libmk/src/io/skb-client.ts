import { handlerFor } from '@mk/monitor-proto/handlers';
import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { freshEntropy, freshInstance, hmacSha256 } from '@mk/monitor-proto/io/crypto';
import { guardsOf, Host } from '@mk/monitor-proto/io/host';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import type { QueryOptions, Solution } from '@mk/monitor-proto/knowledge/query';
import { Requests } from '@mk/monitor-proto/knowledge/requests';
import { collect, streamed } from '@mk/monitor-proto/knowledge/sinks';
import { PASS } from '@mk/monitor-proto/link/link-model';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { Effect } from '@mk/monitor-proto/step';
import { Octopus } from '../octopus/octopus.ts';
import type { OctopusTransport } from '../octopus/transport.ts';
import { type ClientEffect, type ClientEvent, ClientMachine } from '../skb/client-machine.ts';
import { octopusOver } from '../skb/octopus-over.ts';

export interface SkbClientOptions {
  readonly cluster: string;
  /** Hex. */
  readonly secret: string;
  /** host:port. */
  readonly address: string;
  /** How long `connect` waits for the SKB. */
  readonly connectTimeoutMs?: number;
  /** How long the SKB may say nothing before its link is closed and reopened; absent: 20 s. */
  readonly skbSilenceMs?: number;
  /** For a cluster that speaks TLS. */
  readonly tls?: TlsSettings;
}

/** The SKB cannot be reached, or refuses this client; `error` is a name of the error table. */
export class SkbClientError extends Error {
  override readonly name = 'SkbClientError';

  constructor(
    readonly error: ErrorName,
    text: string,
  ) {
    super(`${error}: ${text}`);
  }
}

const CONNECT_TIMEOUT_MS = 10_000;
const NO_LOGGER = { write: () => undefined, metrics: () => [] };

/**
 * A program's link to the SKB: queries, rules, and Octopus over one channel. It survives resets of its link and
 * restarts of the SKB; pending requests are answered later.
 */
export class SkbClient {
  readonly octopus: Octopus;
  /** Octopus as requests, without promises of records. */
  readonly transport: OctopusTransport;
  private readonly requests = new Requests((message) => this.queue(message));
  private readonly host: Host<ClientEvent, ClientEffect>;
  private readonly machine: ClientMachine;
  private waiting: Message[] = [];
  private up: () => void = () => undefined;
  private refused: (error: Error) => void = () => undefined;
  private away = 'no answer yet';
  private closed = false;
  private ended: () => void = () => undefined;

  private constructor(options: SkbClientOptions) {
    const { cluster, secret, address } = options;
    this.machine = new ClientMachine({
      cluster,
      secret: Buffer.from(secret, 'hex'),
      instance: freshInstance(),
      entropy: freshEntropy(),
      hmac: hmacSha256,
      skb: address,
      ...(options.skbSilenceMs === undefined ? {} : { skbSilenceNs: options.skbSilenceMs * 1e6 }),
    });
    this.transport = octopusOver(this.requests);
    this.octopus = new Octopus(this.transport);
    this.host = new Host<ClientEvent, ClientEffect>(this.machine, {
      controlToken: '',
      ...guardsOf(options),
      logger: NO_LOGGER,
      verdict: () => PASS,
      clear: () => true,
      perform: (effect) => handlerFor(this.performers, effect.type)(effect),
      control: () => null,
      halted: () => this.ended(),
    });
  }

  /** Opens the link; rejects with an `SkbClientError` if the SKB cannot be reached or refuses. */
  static async connect(options: SkbClientOptions): Promise<SkbClient> {
    const client = new SkbClient(options);
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    let timer: LongTimer | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        client.up = resolve;
        client.refused = reject;
        timer = callAfter(timeoutMs, () => {
          reject(
            new SkbClientError(
              'SKB_UNREACHABLE',
              `the SKB at ${options.address} did not answer within ${timeoutMs / 1000} s (${client.away})`,
            ),
          );
        });
        client.host.post({ type: 'start' });
      });
      return client;
    } catch (error) {
      await client.close();
      throw error;
    } finally {
      timer?.cancel();
    }
  }

  /** Streams the solutions of a Prolog goal; throws a `QueryError`; leaving the loop cancels the query. */
  query(goal: string, options: QueryOptions = {}): AsyncGenerator<Solution, { readonly more: boolean }> {
    return streamed((sink) => this.requests.run(goal, options, sink));
  }

  /** All solutions of a goal; rejects with a `QueryError`. */
  queryAll(
    goal: string,
    options: QueryOptions = {},
  ): Promise<{ readonly solutions: readonly Solution[]; readonly more: boolean }> {
    return collect((sink) => this.requests.run(goal, options, sink));
  }

  /** Replaces the rules of that name, all or none; an empty program removes them. Rejects with a `QueryError`. */
  async setRules(name: string, program: string): Promise<void> {
    await collect((sink) => {
      this.requests.rules(name, program, sink);
      return () => undefined;
    });
  }

  /** Says goodbye and ends the link: triggers and transient records go. Pending requests are rejected. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.octopus.close();
    this.requests.fail(new SkbClientError('SHUTTING_DOWN', 'the client was closed'));
    await new Promise<void>((resolve) => {
      this.ended = resolve;
      this.host.post({ type: 'stop' });
    });
  }

  /** Breaks the socket without a word, as a network does: for tests. */
  resetLink(): void {
    for (const { link } of this.machine.endpoint.peers.values()) if (link !== 0) this.host.transport.reset(link);
  }

  /** Requests of one turn of the event loop leave in one frame. */
  private queue(message: Message): void {
    if (this.waiting.length === 0) queueMicrotask(() => this.sendQueued());
    this.waiting.push(message);
  }

  private sendQueued(): void {
    const messages = this.waiting;
    this.waiting = [];
    if (messages.length > 0) this.host.post({ type: 'client_send', messages });
  }

  private readonly performers: {
    readonly [T in Exclude<ClientEffect, Effect>['type']]: (effect: Extract<ClientEffect, { type: T }>) => void;
  } = {
    skb_up: ({ fresh, dropped, abandoned }) => {
      if (abandoned) this.requests.abandonChanges('the SKB had dropped this client');
      if (fresh) this.restarted(dropped);
      this.up();
    },
    skb_away: ({ text }) => {
      this.away = text;
    },
    skb_refused: ({ error, text }) => {
      const failure = new SkbClientError(error, `the SKB refused this client: ${text}`);
      this.refused(failure);
      this.requests.fail(failure);
    },
    skb_session_begun: () => this.requests.forgotten(),
    skb_session_lost: ({ text }) => this.requests.sessionLost(text),
    skb_said: ({ message }) => this.requests.receive(message),
  };

  /** Messages queued for the old channel are among the open requests, and are repeated with them. */
  private restarted(dropped: boolean): void {
    this.waiting = [];
    this.requests.restarted(dropped);
  }
}
