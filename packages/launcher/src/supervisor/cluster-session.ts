import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError } from '@mk/monitor-proto/thrown';
import { NO_CORE } from '@mk/monitor-proto/ids';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeWritable } from '../cli/make-directory.ts';
import { type ClusterConfig, logFileOf } from '../boot/cluster-config.ts';
import { launchWords } from '../boot/launch-words.ts';
import type { SupervisorAnswers } from '../client/answers.ts';
import type { OpenPage, PagePlace, ServePage } from '../boot/page-place.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { faultOfSocketPath, LONGEST_SOCKET_NAME } from '@mk/monitor-proto/io/unix-socket';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { ControlServer } from './control-server.ts';
import { LauncherLog } from './launcher-log.ts';
import type { ManagedProcess } from './managed-process.ts';
import type { PlanPort } from './plan-port.ts';
import { ProcessControl } from './process-control.ts';
import { type BootResult, Supervisor, type SupervisorObserver } from './supervisor.ts';
import { bootId, identityOf } from '@mk/libmk/io/process-identity';
import { dropOldRuns, noteRun } from '../state/run-logs.ts';
import type { ClusterRecord, ProcessRecord } from '@mk/libmk/io/cluster-record';
import { forgetHeirs, type Handover, writeHandover } from '../state/succession.ts';
import { StateDirectory } from '../state/state-directory.ts';

export interface SessionObserver extends SupervisorObserver {
  /** `mkctl down` was called. */
  shutdownAsked?(): void;
  /** A verb changed the cluster; one line for people. */
  noted?(text: string): void;
  /** Serves the page of a cluster; provided by the session's maker. */
  servePage?: ServePage;
  /** Runs fault plans for mkctl; provided by the session's maker. */
  planPort?(session: ClusterSession): PlanPort;
}

/** Pause before rewriting a record that could not be written. */
const RETRY_MS = 500;

/** A running cluster with everything around it: its processes, its control port, its place in the state directory. */
export class ClusterSession {
  readonly supervisor: Supervisor;
  readonly control: ProcessControl;
  private readonly server: ControlServer;
  private readonly log: LauncherLog;
  /** Data that the SKB keeps over its restarts, but not beyond the cluster's end. */
  private readonly ownDataDir: string;
  /** Sockets of the processes' links. */
  private readonly socketDir: string;
  /** Why links run over TCP; null: they use sockets. */
  private readonly noSockets: string | null;
  private address = '';
  private booted = false;
  private takeovers = 0;
  private coresStarted = 0;
  private createdAt = new Date().toISOString();
  private closed: Promise<void> | null = null;

  constructor(
    readonly config: ClusterConfig,
    observer: SessionObserver,
    private readonly state = new StateDirectory(),
  ) {
    const noPage: ServePage = () => Promise.reject(new CommandError('this cluster has no page'));
    this.servePage = observer.servePage ?? noPage;
    const { logLevel, logDir } = config;
    this.log = new LauncherLog(logLevel, logDir === null ? null : logFileOf(logDir, 'launcher'), (line) => {
      this.supervisor.logs.add(line);
      observer.logged?.('launcher', line);
    });
    this.ownDataDir = join(state.path, `${config.name}.data`);
    this.socketDir = join(state.path, `${config.name}.sockets`);
    this.noSockets = config.transport === 'tcp' ? '--transport tcp' : faultOfSocketFolder(this.socketDir);
    this.supervisor = new Supervisor(
      { dataDir: this.ownDataDir, ...(this.noSockets === null ? { socketDir: this.socketDir } : {}), ...config },
      { ...observer, changed: () => this.changed() },
    );
    this.control = new ProcessControl(
      this.supervisor,
      (text) => observer.noted?.(text),
      (event, fields) => this.log.write(event, fields),
    );
    this.server = new ControlServer(this.supervisor, {
      control: this.control,
      // After the answer has left. A booting cluster ends its boot, which reports it.
      shutdown: () =>
        void setImmediate(() => (this.booted ? observer.shutdownAsked?.() : this.supervisor.interruptBoot())),
      status: () => this.status(),
      certificates: () => this.supervisor.certificates?.list() ?? [],
      refused: ({ error, text, ours }, from) =>
        this.log.write('link_refused', { peer: NO_CORE, link: 0, error, text: `${from}: ${text}`, ours }),
      openPage: (place) => this.openPage(place),
      plans: observer.planPort?.(this) ?? null,
    });
  }

  /** Claims the name and boots. On failure nothing is left: no process, no record. */
  async open(): Promise<BootResult> {
    this.state.claim(this.record());
    try {
      rmSync(this.ownDataDir, { recursive: true, force: true });
      rmSync(this.socketDir, { recursive: true, force: true });
      prepareFolders(this.config, this.state);
      this.makeSocketFolder();
      await this.supervisor.prepare();
      if (this.config.detached) await this.leaveToSuccessor();
      const booting = this.supervisor.start();
      booting.catch(() => undefined); // awaited below; until then it must not count as unhandled
      this.address = await this.server.listen();
      this.log.write('process_started', { pid: process.pid, address: this.address, seed: this.config.seed });
      this.write();
      const result = await booting;
      this.booted = true;
      // Before anybody hears that the cluster is ready and reads the addresses.
      this.writeNow();
      if (this.config.detached) await this.leaveToSuccessor(); // the SKB's port is known now
      return result;
    } catch (error) {
      await this.supervisor.killAll();
      await this.forget();
      throw error;
    }
  }

  /**
   * Takes over a cluster whose supervisor was killed, with its processes as they are. Until the record names this
   * process nothing has changed, nor will it if this fails before. Resolves when the faults that the other supervisor
   * injected are healed.
   */
  async takeOver(record: ClusterRecord, { takeovers, cores }: Handover): Promise<void> {
    this.createdAt = record.createdAt;
    this.takeovers = takeovers + 1;
    this.coresStarted = cores;
    await this.supervisor.prepare([]);
    this.address = await this.server.listen();
    // First of all: the next supervisor must not reuse this number, even if this process dies right now.
    await this.leaveToSuccessor();
    this.supervisor.adopt(record.processes, cores);
    await this.leaveToSuccessor(); // a supervisor that died during boot did not know the SKB's port: the record has it
    this.writeNow();
    forgetHeirs(this.state.path, this.config.name);
    this.booted = true;
    this.log.write('process_started', { pid: process.pid, address: this.address, seed: this.config.seed });
    await this.control.takenOver(this.takeovers);
  }

  /** Writes the state that a successor needs; if that fails, this supervisor carries on all the same. */
  private async leaveToSuccessor(): Promise<void> {
    const tls = await this.supervisor.certificates?.planOfSuccessor();
    const config = { ...this.config, port: this.supervisor.skbPort, ...(tls === undefined ? {} : { tls }) };
    try {
      if (!this.forgotten)
        writeHandover(this.state.path, { config, takeovers: this.takeovers, cores: this.coresStarted });
    } catch (error) {
      this.log.write('record_not_written', { text: asError(error).message });
    }
  }

  /** Refuses, before anything has started, sockets that were requested and are impossible. */
  private makeSocketFolder(): void {
    if (this.noSockets === null) return void makeFolder(this.socketDir, 0o700);
    if (this.config.transport === 'unix')
      throw new UsageError(
        `--transport unix: ${this.noSockets}; set MK_STATE_DIR to a shorter one, or take --transport tcp`,
      );
  }

  /** Serves the page; resolves with its URL, without the token. An open page keeps its address. */
  openPage(place: PagePlace): Promise<string> {
    this.page ??= this.servePage(place, this.config.name).catch((error: unknown) => {
      this.page = null;
      throw error;
    });
    return this.page.then(({ url }) => url);
  }
  private page: Promise<OpenPage> | null = null;
  private readonly servePage: ServePage;

  /** Ends the cluster cleanly. */
  close(): Promise<void> {
    if (this.closed === null) this.log.write('process_stopping', { reason: 'asked to' });
    this.closed ??= this.supervisor.stop().then(() => this.forget());
    return this.closed;
  }

  /** Ends the cluster at once. */
  async closeNow(): Promise<void> {
    await this.supervisor.killAll();
    await this.forget();
  }

  record(): ClusterRecord {
    const { name, seed, machineName, secret, detached, logDir } = this.config;
    const processes = [...this.supervisor.processes.values()].filter((p) => !p.ended).map(recordOf);
    const supervisor = { name: 'supervisor', ...identityOf(process.pid), address: this.address };
    return {
      version: 1,
      name,
      seed,
      machine: machineName,
      createdAt: this.createdAt,
      bootId: bootId(),
      secret,
      detached,
      logDir,
      ...this.clientCredentials(),
      supervisor,
      processes,
    };
  }

  /** The TLS credentials of mkctl: like the secret, they may only be readable by the record's owner. */
  private clientCredentials(): { readonly tls?: TlsSettings } {
    return this.supervisor.certificates?.has('client') === true ? this.supervisor.credentialsOf('client') : {};
  }

  private status(): SupervisorAnswers['status'] {
    const { name, seed, machineName, machine, timeScale, latencyNs, jitterNs, detached, logDir } = this.config;
    const told = {
      name,
      seed,
      machineName,
      machine,
      timeScale,
      latencyNs,
      jitterNs,
      detached,
      logDir,
      createdAt: this.createdAt,
      launch: launchWords(this.config, this.supervisor.cores().length),
      processes: this.control.ps(),
    };
    return told;
  }

  /** Processes came or went. */
  private changed(): void {
    this.write();
    const started = this.supervisor.cores().length;
    if (started <= this.coresStarted) return;
    this.coresStarted = started;
    if (this.booted && this.config.detached) void this.leaveToSuccessor();
  }

  private write(): void {
    if (this.closed !== null || this.supervisor.ending) return;
    clearImmediate(this.pending);
    this.pending = setImmediate(() => this.writeOrRetry());
  }
  private retry: NodeJS.Timeout | undefined = undefined;
  private unwritten = false;
  private pending: NodeJS.Immediate | undefined = undefined;
  private forgotten = false;

  /** A full disk or a deleted folder ends no cluster: it is reported once, and writing is retried. */
  private writeOrRetry(): void {
    try {
      this.writeNow();
      this.unwritten = false;
    } catch (error) {
      if (!this.unwritten) this.log.write('record_not_written', { text: asError(error).message });
      this.unwritten = true;
      this.retry = setTimeout(() => this.writeOrRetry(), RETRY_MS);
      this.retry.unref();
    }
  }

  private writeNow(): void {
    clearImmediate(this.pending);
    clearTimeout(this.retry);
    if (!this.forgotten) this.state.update(this.record());
  }

  private forget(): Promise<void> {
    this.forgotten = true;
    this.control.close();
    void this.page?.then((page) => page.close()).catch(() => undefined);
    this.server.close();
    this.state.remove(this.config.name);
    rmSync(this.ownDataDir, { recursive: true, force: true });
    rmSync(this.socketDir, { recursive: true, force: true });
    return Promise.resolve();
  }
}

function recordOf({ name, identity, address, links, incarnation }: ManagedProcess): ProcessRecord {
  return {
    name,
    ...identity,
    address,
    ...(links === address ? {} : { links }),
    ...(incarnation === 0 ? {} : { incarnation }),
  };
}

function prepareFolders({ logDir, dataDir, name }: ClusterConfig, state: StateDirectory): void {
  if (dataDir !== undefined) makeWritable(dataDir, '--data-dir');
  if (logDir === null) return;
  makeWritable(logDir, '--log-dir');
  dropOldRuns(name, state);
  noteRun({ name, logDir }, state);
}

/** Why a folder cannot hold sockets; null if it can. */
function faultOfSocketFolder(folder: string): string | null {
  return process.platform === 'win32'
    ? 'this system has no Unix sockets'
    : faultOfSocketPath(`${folder}/${LONGEST_SOCKET_NAME}`);
}
