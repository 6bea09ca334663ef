import { handlerFor } from '@mk/monitor-proto/handlers';
import { asError } from '@mk/monitor-proto/thrown';
import { ASSERTION_EXIT_STATUS, AssertionFailure, dumpOf } from '@mk/monitor-proto/assert';
import { formatAddress, unixAddress } from '@mk/monitor-proto/address';
import { freshEntropy, freshInstance, controlToken, hmacSha256 } from '@mk/monitor-proto/io/crypto';
import { hostClockNs, nowNs } from '@mk/monitor-proto/io/clock';
import { bootId } from '@mk/monitor-proto/io/host-name';
import { guardsOf, Host } from '@mk/monitor-proto/io/host';
import { KeptLines } from '@mk/monitor-proto/io/kept-lines';
import { createLogger, type Logger } from '@mk/monitor-proto/io/logger';
import { addressFromParent, tellParent, watchParent } from '@mk/monitor-proto/io/parent';
import { freshSocketPath } from '@mk/monitor-proto/io/unix-socket';
import { spanExporter } from '@mk/monitor-proto/io/span-exporter';
import { FaultHost } from '@mk/monitor-proto/io/fault-host';
import type { LogEventName } from '@mk/monitor-proto/log-events';
import { isLogged } from '@mk/monitor-proto/log-line';
import type { ControlReply, ControlRequest } from '@mk/monitor-proto/step';
import type { Registration } from '../config.ts';
import type { HostEffect, KernelEffect, KernelEvent } from '../effects.ts';
import { Kernel } from '../kernel.ts';
import { costsOfCore, linksOfCore } from './core-links.ts';
import { DispatcherHost } from './dispatchers/dispatcher-host.ts';
import { vesselsOf } from './dispatchers/vessels.ts';
import type { CoreSettings } from './settings.ts';
import { tierUpSoon } from './tier-up.ts';
import { faultOfListening } from '@mk/monitor-proto/io/listen-fault';

/** The latest time for loading modules that boot did without. */
const LOAD_LATEST_MS = 5000;
/** A core that has not ended this long after it was asked to is killed. */
const STOP_MS = 2000;
const LEAVE_MS = 4000;
/** Pause between a core's own readiness and that load: others may still be booting. */
const LOAD_PAUSE_MS = 500;

/** Runs a core's kernel in a process of its own. */
export class CoreProcess {
  private readonly logger: Logger;
  private readonly kept: KeptLines | null;
  private readonly faults: FaultHost;
  private readonly secret: Buffer;
  private host: Host<KernelEvent, KernelEffect> | null = null;
  private kernel: Kernel | null = null;
  private readonly dispatchers: DispatcherHost;

  constructor(private readonly settings: CoreSettings) {
    this.secret = Buffer.from(settings.secret, 'hex');
    this.kept = settings.keepLines === true ? new KeptLines() : null;
    const source = { core: settings.core ?? 'unregistered', incarnation: 0 };
    this.logger = createLogger(source, settings.logFile ?? null, this.kept);
    this.faults = new FaultHost({
      log: (event, fields) => {
        this.host?.noted(event, fields);
        this.log(event, fields);
      },
      touched: (cores) => this.host?.post({ type: 'links_touched', cores }),
      retimed: (to, retime) => this.host?.retimeFrames(to, retime),
    });
    this.dispatchers = new DispatcherHost(vesselsOf(settings.isolation ?? 'thread'), (event) => this.host?.post(event));
  }

  async start(): Promise<void> {
    const { settings } = this;
    process.on('uncaughtException', (error) => this.fail('process_failed', error));
    watchParent(settings.detached, (reason) => this.stop(reason));
    // The kernel must know its listening address, and the listener needs a kernel: frames wait in the host until both
    // exist.
    const host = new Host<KernelEvent, KernelEffect>(
      lateBound(() => this.kernel),
      {
        controlToken: controlToken(this.secret),
        ...guardsOf(settings),
        logs: (event) => isLogged(event, settings.logLevel),
        logger: this.watchedLogger(),
        verdict: (peer, now, bytes, openedAt) => this.faults.links.verdict(peer, now, bytes, openedAt),
        clear: (peer, now) => this.faults.links.clear(peer, now),
        perform: (effect) => this.perform(effect),
        control: (request) => this.kept?.control(request) ?? this.control(request),
        metrics: () => this.faults.metrics(),
        spans: spanExporter(process.env, () => this.logger.source),
        tap: (tap) => this.kernel?.tap(tap),
        halted: (error) => this.halted(error),
      },
    );
    this.host = host;
    const port = await this.listen(host);
    const address = formatAddress({ host: settings.advertiseHost ?? settings.listenHost, port });
    const links = await this.listenLocally(host);
    tellParent({ type: 'listening', address, ...(links === null ? {} : { links }) });
    const skbAddress = settings.skb ?? (await addressFromParent());
    this.kernel = this.createKernel(links ?? address, skbAddress);
    this.log('process_started', { pid: process.pid, address, seed: 'random' });
    host.post({ type: 'start' });
    setTimeout(() => void this.logger.load(), LOAD_LATEST_MS).unref();
  }

  /** A logger that loads its library soon after the kernel says that it is ready. */
  private watchedLogger(): Logger {
    const { logger } = this;
    const write: Logger['write'] = (event, lamport, fields) => {
      logger.write(event, lamport, fields);
      if (event === 'core_ready') setTimeout(() => void logger.load(), LOAD_PAUSE_MS).unref();
    };
    return { ...logger, write };
  }

  private createKernel(address: string, skbAddress: string): Kernel {
    const { cluster, core, logLevel, version, joinMs } = this.settings;
    const host = this.settings.host ?? bootId();
    return new Kernel({
      cluster,
      secret: this.secret,
      instance: freshInstance(),
      wantedCore: core,
      skbAddress,
      address,
      ...(host === null ? {} : { host }),
      entropy: freshEntropy(),
      hmac: hmacSha256,
      logLevel,
      hostClockNs,
      stopwatch: nowNs,
      guarded: true,
      separateMemory: this.settings.isolation === 'process',
      ...(version === undefined ? {} : { version }),
      ...(joinMs === undefined ? {} : { joinDeadlineNs: joinMs * 1e6 }),
    });
  }

  private async listen(host: Host<KernelEvent, KernelEffect>): Promise<number> {
    const { listenHost, listenPort } = this.settings;
    try {
      return await host.transport.listen(listenHost, listenPort);
    } catch (error) {
      this.halted(faultOfListening(error, { host: listenHost, port: listenPort }));
      throw error;
    }
  }

  /** The address of a Unix socket for links; null: none is configured. */
  private async listenLocally({ transport }: Host<KernelEvent, KernelEffect>): Promise<string | null> {
    const { socketDir, core } = this.settings;
    if (socketDir === undefined) return null;
    try {
      const path = await freshSocketPath(socketDir, `core-${core ?? 'any'}`, freshInstance().slice(0, 8));
      await transport.listenAt(path);
      return unixAddress(path);
    } catch (error) {
      this.halted(asError(error).message);
      throw error;
    }
  }

  private perform(effect: HostEffect): void {
    handlerFor(this.performers, effect.type)(effect);
  }

  /** How each effect of the kernel is carried out; the compiler misses none. */
  private readonly performers: {
    readonly [T in HostEffect['type']]: (effect: Extract<HostEffect, { readonly type: T }>) => void;
  } = {
    registered: ({ registration }) => this.registered(registration),
    takes_part: ({ view }) => {
      tierUpSoon();
      tellParent({ type: 'takes_part', view });
    },
    upcall: () => undefined, // upcalls to a domain have no dispatcher here
    start_dispatcher: (effect) => this.dispatchers.performers.start_dispatcher(effect),
    resume_dispatcher: (effect) => this.dispatchers.performers.resume_dispatcher(effect),
    answer_dispatcher: (effect) => this.dispatchers.performers.answer_dispatcher(effect),
    interrupt_dispatcher: (effect) => this.dispatchers.performers.interrupt_dispatcher(effect),
    measure_dispatcher: (effect) => this.dispatchers.performers.measure_dispatcher(effect),
    kill_dispatcher: (effect) => this.dispatchers.performers.kill_dispatcher(effect),
  };

  private registered(registration: Registration): void {
    const { core, incarnation } = registration;
    this.logger.source = { core, incarnation };
    this.faults.links.configure(linksOfCore(registration));
    const costs = costsOfCore(registration);
    if (costs !== null) this.host?.occupy(costs);
    tellParent({ type: 'registered', core, incarnation });
  }

  private control(request: ControlRequest): ControlReply | null {
    if (request.verb === 'shutdown') {
      setImmediate(() => this.stop('requested over the control port'));
      return { ok: true, value: null };
    }
    return this.faults.control(request);
  }

  private log(event: LogEventName, fields: Readonly<Record<string, unknown>>): void {
    if (isLogged(event, this.settings.logLevel)) this.logger.write(event, 0, fields);
  }

  private stop(reason: string): void {
    if (this.host === null) process.exit(0);
    this.log('process_stopping', { reason });
    // A launcher reaps its cores and proves their deaths; a core without one leaves the view first.
    const leaves = process.send === undefined;
    this.host.post({ type: 'stop', leaves });
    setTimeout(() => process.exit(0), leaves ? LEAVE_MS : STOP_MS).unref();
  }

  private fail(event: 'process_failed', error: Error): void {
    if (error instanceof AssertionFailure) {
      const state = dumpOf(() => this.kernel?.dump());
      this.log('assertion_failed', { invariant: error.invariant ?? '', text: error.stack ?? error.message, state });
      return this.halted(`${error.name}: ${error.message}`, ASSERTION_EXIT_STATUS);
    }
    this.log(event, { error: error.name, text: error.stack ?? error.message });
    this.halted(`${error.name}: ${error.message}`);
  }

  private halted(error: string | null, status = 1): void {
    this.logger.flushNow();
    this.faults.close();
    if (error === null) {
      if (process.connected) process.disconnect();
      setTimeout(() => process.exit(0), 50); // time for close frames to leave
      return;
    }
    process.stderr.write(`mk core ${this.settings.core ?? ''}: ${error}\n`);
    tellParent({ type: 'failed', error });
    process.exitCode = status;
    setTimeout(() => process.exit(status), 50);
  }
}

/** A state machine that is created after its host. */
function lateBound(kernel: () => Kernel | null): ConstructorParameters<typeof Host<KernelEvent, KernelEffect>>[0] {
  return {
    step: (event, now) => kernel()?.step(event, now) ?? [],
    health: () => kernel()?.health() ?? { ok: false, core: -1 },
    metrics: (now) => kernel()?.metrics(now) ?? '',
  };
}
