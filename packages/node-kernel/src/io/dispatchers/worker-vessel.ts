import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { borderLimit } from '@mk/libmk/dispatcher/limits';
import type { HandedFrame } from '../../cpu-driver/dispatchers/handed-frame.ts';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { BeginOptions, Vessel, VesselLimits, VesselOwner, VesselSource } from './dispatcher-host.ts';
import { cpuNsOfWorkers } from './cpu-time.ts';
import { BOX_AT, WORDS } from './shared-words.ts';

/** The start-up data of a dispatcher's worker (dispatcher-worker-main.ts). */
export interface WorkerData {
  readonly contextText: string;
  readonly shared: SharedArrayBuffer;
  /** Moved into the context: resumptions in, turns and calls out. */
  readonly bridge: MessagePort;
  /** The worker's own: reports its start and its end. */
  readonly control: MessagePort;
}

/** A worker's messages over its own port. */
export type WorkerNews =
  { readonly type: 'ready' } | { readonly type: 'ended'; readonly cause: string; readonly text: string };

export interface WorkerFiles {
  /** Script of the worker. */
  readonly script: string;
  /** The text that a context evaluates first. */
  readonly contextText: () => string;
}

/** A spare worker is created this long after the last start, so as not to slow the core down. */
const SPARE_PAUSE_MS = 20;
/** V8's stack of a dispatcher, MiB; Node's own default. */
const STACK_MB = 4;

/** Dispatchers as worker threads; after the first start one spare is kept warm, so that the next starts at once. */
export class WorkerVessels implements VesselSource {
  private spare: WorkerVessel | null = null;
  private timer: NodeJS.Timeout | null = null;
  private closed = false;

  constructor(private readonly files: WorkerFiles) {}

  take(limits: VesselLimits, owner: VesselOwner): Vessel {
    const { spare } = this;
    this.spare = null;
    const vessel = spare !== null && spare.suits(limits) ? spare : new WorkerVessel(this.files, limits);
    vessel.belongsTo(owner);
    if (spare !== null && spare !== vessel) spare.kill();
    this.makeSpareSoon(limits);
    return vessel;
  }

  close(): void {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.spare?.kill();
  }

  private makeSpareSoon(limits: VesselLimits): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.closed && this.spare === null) this.spare = new WorkerVessel(this.files, limits);
    }, SPARE_PAUSE_MS);
    this.timer.unref();
  }
}

class WorkerVessel implements Vessel {
  private readonly worker: Worker;
  private readonly bridge: MessagePort;
  private readonly control: MessagePort;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private owner: VesselOwner | null = null;
  private isReady = false;
  private ending: { readonly cause: string; readonly text: string } | null = null;
  private isOver = false;

  constructor(
    files: WorkerFiles,
    private readonly limits: VesselLimits,
  ) {
    const shared = new SharedArrayBuffer(BOX_AT + borderLimit('callNowBytes'));
    const [bridge, control] = [new MessageChannel(), new MessageChannel()];
    this.words = new Int32Array(shared, 0, BOX_AT / 4);
    this.bytes = new Uint8Array(shared, BOX_AT);
    this.bridge = bridge.port1;
    this.control = control.port1;
    const workerData: WorkerData = {
      contextText: files.contextText(),
      shared,
      bridge: bridge.port2,
      control: control.port2,
    };
    this.worker = new Worker(files.script, {
      workerData,
      transferList: [bridge.port2, control.port2],
      env: {},
      // Without the flag import() rejects with an error of Node's realm, whatever the script's callback does.
      execArgv: ['--experimental-vm-modules', '--no-warnings'],
      resourceLimits: {
        maxOldGenerationSizeMb: limits.heapOldMb,
        maxYoungGenerationSizeMb: limits.heapYoungMb,
        stackSizeMb: STACK_MB,
      },
    });
    this.worker.unref();
    this.listen();
  }

  suits({ heapOldMb, heapYoungMb }: VesselLimits): boolean {
    return !this.isOver && this.limits.heapOldMb === heapOldMb && this.limits.heapYoungMb === heapYoungMb;
  }

  belongsTo(owner: VesselOwner): void {
    this.owner = owner;
    if (this.isReady) setImmediate(() => owner.ready());
    if (this.isOver) setImmediate(() => this.over());
  }

  begin(options: BeginOptions): void {
    this.control.postMessage(options);
    this.wake();
  }

  resume(bytes: Uint8Array, frames: readonly HandedFrame[]): void {
    Atomics.store(this.words, WORDS.interrupt, 0);
    const overPort = bytes.length > this.bytes.length || frames.length > 0;
    if (overPort) this.bridge.postMessage({ bytes: bytes.slice(), frames });
    else this.bytes.set(bytes);
    Atomics.store(this.words, WORDS.length, overPort ? -1 : bytes.length);
    Atomics.store(this.words, WORDS.resumed, 1);
    this.wake();
  }

  answer(bytes: Uint8Array): void {
    Atomics.store(this.words, WORDS.interrupt, 0);
    this.bytes.set(bytes);
    Atomics.store(this.words, WORDS.length, bytes.length);
    Atomics.store(this.words, WORDS.asked, 0);
    Atomics.notify(this.words, WORDS.asked);
  }

  interrupt(): void {
    Atomics.store(this.words, WORDS.interrupt, 1);
  }

  cpuNs(): Nanos {
    return cpuNsOfWorkers();
  }

  kill(): void {
    this.ending ??= { cause: 'KILLED', text: '' };
    void this.worker.terminate();
  }

  private wake(): void {
    Atomics.add(this.words, WORDS.wake, 1);
    Atomics.notify(this.words, WORDS.wake);
  }

  private listen(): void {
    this.bridge.on('message', (data: unknown) => {
      if (data instanceof Uint8Array) this.owner?.turn(data);
      else if (typeof data !== 'number') this.owner?.turn(new Uint8Array(0));
      else if (data < 0) this.owner?.call(this.bytes.slice(0, -data));
      else this.owner?.turn(this.bytes.slice(0, data));
    });
    this.control.on('message', (news: WorkerNews) => {
      if (news.type === 'ready') {
        this.isReady = true;
        this.owner?.ready();
      } else {
        this.ending ??= { cause: news.cause, text: news.text };
        void this.worker.terminate();
      }
    });
    this.bridge.unref();
    this.control.unref();
    this.worker.on('error', (error: NodeJS.ErrnoException) => {
      const heap = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      const { heapOldMb, heapYoungMb } = this.limits;
      this.ending ??= heap
        ? { cause: 'OUT_OF_HEAP', text: `its heap grew past ${heapOldMb} + ${heapYoungMb} MiB` }
        : { cause: 'DISPATCHER_LOST', text: error.stack ?? error.message };
    });
    this.worker.on('exit', () => this.over());
  }

  private over(): void {
    this.isOver = true;
    this.bridge.close();
    this.control.close();
    const { cause, text } = this.ending ?? { cause: 'DISPATCHER_LOST', text: 'its thread ended' };
    this.owner?.ended(cause, text);
  }
}
