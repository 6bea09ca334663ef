import { known } from '@mk/monitor-proto/assert';
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { PlainWriter } from '@mk/libmk/dispatcher/plain-value';
import { TURN_BYTES_MOST } from '@mk/libmk/dispatcher/protocol';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { BeginOptions, Vessel, VesselLimits, VesselOwner, VesselSource } from './dispatcher-host.ts';
import { cpuNsOfProcess } from './cpu-time.ts';
import { FrameCutter, frameOf, PIPES, TO_CHILD, TO_CORE } from './process-frames.ts';

/** How much of the process's standard error is kept: the last words of an engine that gives up. */
const LAST_WORDS = 4096;

/**
 * Dispatchers in processes of their own (`--isolation process`): they share no memory, and the end of one ends no
 * other.
 */
export class ProcessVessels implements VesselSource {
  private readonly alive = new Set<ProcessVessel>();

  constructor(private readonly script: string) {}

  take(limits: VesselLimits, owner: VesselOwner): Vessel {
    const vessel = new ProcessVessel(this.script, limits, owner, () => this.alive.delete(vessel));
    this.alive.add(vessel);
    return vessel;
  }

  close(): void {
    for (const vessel of this.alive) vessel.kill();
  }
}

class ProcessVessel implements Vessel {
  private readonly child: ChildProcess;
  private readonly pipe: Writable;
  private ending: { readonly cause: string; readonly text: string } | null = null;
  private lastWords = '';

  constructor(
    script: string,
    private readonly limits: VesselLimits,
    private readonly owner: VesselOwner,
    private readonly gone: () => void,
  ) {
    const { heapOldMb, heapYoungMb } = limits;
    const flags = [
      `--max-old-space-size=${heapOldMb}`,
      `--max-semi-space-size=${Math.max(1, Math.floor(heapYoungMb / 3))}`,
      '--experimental-vm-modules',
      '--no-warnings',
    ];
    this.child = spawn(process.execPath, [...flags, script], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
      env: {},
    });
    this.pipe = this.child.stdio[PIPES.in] as Writable;
    this.pipe.on('error', () => undefined); // the process is gone: `exit` reports it
    const cutter = new FrameCutter(TURN_BYTES_MOST, (kind, bytes) => this.frame(kind, bytes));
    (this.child.stdio[PIPES.out] as Readable).on('data', (chunk: Buffer) => cutter.push(chunk));
    known(this.child.stderr).on('data', (chunk: Buffer) => {
      this.lastWords = (this.lastWords + chunk.toString('latin1')).slice(-LAST_WORDS);
    });
    this.child.on('error', (error) => this.over({ cause: 'DISPATCHER_LOST', text: error.message }));
    this.child.on('close', (code, signal) => this.over(this.causeOf(code, signal)));
  }

  begin(options: BeginOptions): void {
    const writer = new PlainWriter(64 << 20);
    writer.write({ ...options });
    this.send(TO_CHILD.begin, writer.written());
  }

  resume(bytes: Uint8Array): void {
    this.send(TO_CHILD.resume, bytes);
  }

  answer(bytes: Uint8Array): void {
    this.send(TO_CHILD.answer, bytes);
  }

  interrupt(): void {
    // Without shared memory a turn knows only the end of its slice, from its beginning on.
  }

  cpuNs(): Nanos | null {
    return this.child.pid === undefined ? null : cpuNsOfProcess(this.child.pid);
  }

  kill(): void {
    this.ending ??= { cause: 'KILLED', text: '' };
    this.child.kill('SIGKILL');
  }

  private send(kind: number, bytes: Uint8Array): void {
    this.pipe.write(frameOf(kind, bytes));
  }

  private frame(kind: number, bytes: Uint8Array): void {
    if (kind === TO_CORE.ready) this.owner.ready();
    else if (kind === TO_CORE.call) this.owner.call(bytes);
    else if (kind === TO_CORE.ended) {
      const [cause = 'UNCAUGHT', ...text] = Buffer.from(bytes).toString('utf8').split('\n');
      this.ending ??= { cause, text: text.join('\n') };
      this.child.kill('SIGKILL');
    } else this.owner.turn(kind === TO_CORE.turn ? bytes : new Uint8Array(0));
  }

  private causeOf(code: number | null, signal: string | null): { readonly cause: string; readonly text: string } {
    const { heapOldMb, heapYoungMb } = this.limits;
    if (/heap out of memory|Allocation failed|invalid table size|invalid array length/i.test(this.lastWords))
      return { cause: 'OUT_OF_HEAP', text: `its heap grew past ${heapOldMb} + ${heapYoungMb} MiB` };
    const how = signal === null ? `with status ${code}` : `by ${signal}`;
    return { cause: 'DISPATCHER_LOST', text: `its process ended ${how}` };
  }

  private over(otherwise: { readonly cause: string; readonly text: string }): void {
    this.gone();
    const { cause, text } = this.ending ?? otherwise;
    this.owner.ended(cause, text);
  }
}
