import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError } from '@mk/monitor-proto/thrown';
import { ASSERTION_EXIT_STATUS, AssertionFailure, dumpOf } from '@mk/monitor-proto/assert';
import { formatAddress, unixAddress } from '@mk/monitor-proto/address';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import { hostClockNs } from '@mk/monitor-proto/io/clock';
import { controlToken, freshEntropy, freshInstance, hmacSha256 } from '@mk/monitor-proto/io/crypto';
import { spanExporter } from '@mk/monitor-proto/io/span-exporter';
import { FaultHost } from '@mk/monitor-proto/io/fault-host';
import { guardsOf, Host } from '@mk/monitor-proto/io/host';
import { KeptLines } from '@mk/monitor-proto/io/kept-lines';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { createLogger, type Logger } from '@mk/monitor-proto/io/logger';
import { tellParent, watchParent } from '@mk/monitor-proto/io/parent';
import type { LogEventName, LogFields } from '@mk/monitor-proto/log-events';
import { isLogged } from '@mk/monitor-proto/log-line';
import { createPrng } from '@mk/monitor-proto/prng';
import type { ControlReply, ControlRequest, Effect } from '@mk/monitor-proto/step';
import type { SkbConfig } from '../config.ts';
import type { SkbEffect, SkbEvent } from '../effects.ts';
import { flatMachine } from '../facts/flat-machine.ts';
import { Skb } from '../skb.ts';
import { KnowledgeHost } from './knowledge-host.ts';
import { Poisoned } from '../knowledge/poisoned.ts';
import type { DataPlace } from './data-place.ts';
import { coreSettings, machineModel, machineSummary } from './machine-settings.ts';
import { poisonedRequests, rememberPoisoned } from './poisoned-file.ts';
import type { SkbSettings } from './settings.ts';
import { ViewFile } from './view-file.ts';
import { lastRequests, Witness } from './witness.ts';
import { faultOfListening } from '@mk/monitor-proto/io/listen-fault';

/** Pause between two progress reports to the launcher. */
const PROGRESS_MS = 50;
const LOAD_LATER_MS = 5000;
/** Characters of a request shown in the log. */
const SHOWN_CHARS = 200;
/**
 * The knowledge base starts when the mesh is complete, so that boot has the host to itself, but waits no longer than
 * KNOWLEDGE_LATER_MS: few booting cores leave a CPU free, many do not.
 */
const FEW_CORES = 8;
const KNOWLEDGE_LATER_MS = { few: 800, many: 10_000 } as const;

function patienceOf({
  sessionTimeoutMs,
  skbSilenceMs,
}: SkbSettings): Pick<SkbConfig, 'sessionTimeoutNs' | 'silenceNs'> {
  return {
    ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutNs: sessionTimeoutMs * 1e6 }),
    ...(skbSilenceMs === undefined ? {} : { silenceNs: skbSilenceMs * 1e6 }),
  };
}

/** The SKB in a process of its own. */
export class SkbProcess {
  private readonly logger: Logger;
  private readonly kept: KeptLines | null;
  private readonly skb: Skb;
  private readonly host: Host<SkbEvent, SkbEffect>;
  private readonly knowledge: KnowledgeHost;
  private readonly view: ViewFile;
  private readonly token: string;
  private readonly faults: FaultHost;
  private witness: Witness | null = null;
  /** The requests that crashed the previous life. */
  private readonly lastLife: { readonly request: string; readonly text: string }[] = [];
  private lastProgress = '';
  private progressTimer: NodeJS.Timeout | null = null;

  constructor(
    private readonly settings: SkbSettings,
    private readonly place: DataPlace,
  ) {
    const { cluster, logLevel, expectedCores, maxCores, measure, machine } = settings;
    const secret = Buffer.from(settings.secret, 'hex');
    this.token = controlToken(secret);
    this.view = new ViewFile(settings.dataDir);
    this.kept = settings.keepLines === true ? new KeptLines() : null;
    this.logger = createLogger({ core: 'skb', incarnation: 1 }, settings.logFile ?? null, this.kept);
    const model = machineModel(settings);
    const toldTo = coreSettings(settings, model);
    this.faults = this.faultHost();
    this.skb = new Skb({
      cluster,
      secret,
      instance: freshInstance(),
      entropy: freshEntropy(),
      hmac: hmacSha256,
      logLevel,
      hostClockNs,
      expectedCores,
      maxCores,
      measure,
      machine: model,
      machineText: machineSummary(machine),
      settingsFor: (core) => JSON.stringify(toldTo(core)),
      life: place.life,
      lastView: this.view.last,
      guarded: true,
      busyWith: (request) => this.witness?.busyWith(request),
      poisoned: new Poisoned(this.poisonedTexts()),
      ...patienceOf(settings),
      knowledge: { engine: true, journal: settings.dataDir !== undefined },
    });
    this.knowledge = new KnowledgeHost({
      place,
      prepared: () => this.view.again(),
      witness: () => this.witness,
      machine: machine ?? flatMachine(maxCores),
      cores: Math.max(1, expectedCores),
      post: (event) => this.host.post(event),
      log: (event, fields) => this.note(event, fields),
    });
    this.host = new Host<SkbEvent, SkbEffect>(this.skb, {
      controlToken: this.token,
      ...guardsOf(settings),
      logs: (event) => isLogged(event, logLevel),
      logger: { ...this.logger, write: (event, lamport, fields) => this.write(event, lamport, fields) },
      verdict: (peer, now, bytes, openedAt) => this.faults.links.verdict(peer, now, bytes, openedAt),
      clear: (peer, now) => this.faults.links.clear(peer, now),
      perform: (effect) => this.perform(effect),
      control: (request) => this.kept?.control(request) ?? this.control(request),
      metrics: () => this.faults.metrics(),
      spans: spanExporter(process.env, () => this.logger.source),
      tap: (tap) => (this.skb.endpoint.trace.tap = tap),
      halted: (error) => this.halted(error),
    });
  }

  private faultHost(): FaultHost {
    const { maxCores, seed } = this.settings;
    const faults = new FaultHost({
      log: (event, fields) => this.faultLogged(event, fields),
      touched: () => undefined, // the cores measure what changed
      retimed: (to, retime) => this.host.retimeFrames(to, retime),
    });
    faults.links.configure({ self: SKB_PEER, capacity: maxCores, prng: createPrng(`${seed}/links/skb`) });
    return faults;
  }

  async start(): Promise<void> {
    process.on('uncaughtException', (error) => {
      if (error instanceof AssertionFailure) {
        const state = dumpOf(() => this.skb.status());
        const text = error.stack ?? error.message;
        this.logger.write('assertion_failed', 0, { invariant: error.invariant ?? '', text, state });
        return this.halted(`${error.name}: ${error.message}`, ASSERTION_EXIT_STATUS);
      }
      this.logger.write('process_failed', 0, { error: error.name, text: error.stack ?? error.message });
      const request = this.skb.requestUnderWay;
      if (request !== null) rememberPoisoned(this.settings.dataDir, request, String(error));
      this.halted(`${error.name}: ${error.message}`);
    });
    watchParent(this.settings.detached, (reason) => this.stop(reason));
    const { listenHost, listenPort, advertiseHost, seed } = this.settings;
    const port = await this.host.transport.listen(listenHost, listenPort).catch((error: unknown) => {
      this.halted(faultOfListening(error, { host: listenHost, port: listenPort }));
      return -1;
    });
    if (port < 0) return;
    const links = await this.listenLocally();
    if (links === '') return;
    const address = formatAddress({ host: advertiseHost ?? listenHost, port });
    tellParent({ type: 'listening', address, ...(links === null ? {} : { links }) });
    this.write('process_started', 0, { pid: process.pid, address, seed });
    for (const last of this.lastLife) this.write('request_failed', 0, { ...last, error: 'POISONED' });
    this.host.post({ type: 'start' });
    this.knowledge.sayFailure();
    this.progressTimer = setInterval(() => this.progress(), PROGRESS_MS);
    this.progressTimer.unref();
    setTimeout(() => void this.logger.load(), LOAD_LATER_MS).unref();
    const patienceMs = KNOWLEDGE_LATER_MS[this.settings.expectedCores <= FEW_CORES ? 'few' : 'many'];
    // After a restart somebody may be waiting for the journal's contents, and no core is booting.
    const soon = this.knowledge.hasJournal || this.place.failure !== null;
    callAfter(soon ? 0 : patienceMs, () => void this.begin()).unref();
  }

  /**
   * The address of a Unix socket for links, the same in each life because cores remember it; null: not wanted; '': it
   * failed, and the process halts.
   */
  private async listenLocally(): Promise<string | null> {
    const { socketDir } = this.settings;
    if (socketDir === undefined) return null;
    const path = `${socketDir}/skb.sock`;
    try {
      makeFolder(socketDir, 0o700);
      await this.host.transport.listenAt(path);
      return unixAddress(path);
    } catch (error) {
      this.halted(asError(error).message);
      return '';
    }
  }

  private begin(): Promise<void> {
    const { dataDir } = this.settings;
    if (dataDir !== undefined && this.place.lock !== null) this.witness ??= new Witness(dataDir);
    return this.knowledge.begin();
  }

  /**
   * Requests that crashed earlier lives. If the last one ended without a word, whatever it was busy with is refused.
   */
  private poisonedTexts(): readonly string[] {
    const { dataDir } = this.settings;
    const last = this.place.lock === null ? [] : lastRequests(dataDir);
    for (const { request, why } of last) {
      rememberPoisoned(dataDir, request, `the SKB died, and ${why}`);
      this.lastLife.push({ request: request.slice(0, SHOWN_CHARS), text: `the SKB died, and ${why}; it is refused` });
    }
    return poisonedRequests(dataDir).map(({ request }) => request);
  }

  private faultLogged(event: LogEventName, fields: LogFields): void {
    this.host.noted(event, fields);
    this.write(event, 0, fields);
  }

  private write(event: LogEventName, lamport: number, fields: LogFields): void {
    if (isLogged(event, this.settings.logLevel)) this.logger.write(event, lamport, fields);
  }

  /** Also reports a failing journal to whoever boots the cluster. */
  private note(event: LogEventName, fields: LogFields): void {
    this.write(event, 0, fields);
    if (event !== 'journal_failed') return;
    tellParent({
      type: 'warning',
      text: `the SKB’s journal fails, it acknowledges nothing until it works again: ${String(fields['text'])}`,
    });
  }

  private perform(effect: Exclude<SkbEffect, Effect>): void {
    if (effect.type === 'view_agreed') return this.view.keep(effect.view);
    if (effect.type !== 'mesh_complete') return this.knowledge.perform(effect);
    this.progress();
    tellParent(effect);
    setImmediate(() => void this.begin());
  }

  private progress(): void {
    const { registry } = this.skb;
    const text = `${registry.members.size}/${registry.meshLinks}`;
    if (text === this.lastProgress) return;
    this.lastProgress = text;
    tellParent({
      type: 'progress',
      members: registry.members.size,
      links: registry.meshLinks,
      expected: this.settings.expectedCores,
    });
  }

  private control(request: ControlRequest): ControlReply | null {
    if (request.verb !== 'shutdown') return this.faults.control(request);
    setImmediate(() => this.stop('asked over the control port'));
    return { ok: true, value: null };
  }

  private stop(_reason: string): void {
    this.host.post({ type: 'stop' });
    setTimeout(() => process.exit(0), 2000).unref();
  }

  private halted(error: string | null, status = 1): void {
    this.witness?.close();
    this.knowledge.close();
    this.faults.close();
    this.logger.flushNow();
    if (this.progressTimer !== null) clearInterval(this.progressTimer);
    if (error !== null) {
      process.stderr.write(`mk skb: ${error}\n`);
      tellParent({ type: 'failed', error });
    } else if (process.connected) process.disconnect();
    setTimeout(() => process.exit(error === null ? 0 : status), 50);
  }
}
