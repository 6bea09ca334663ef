/*
 * The process of one dispatcher: reads a frame, runs a turn in the bare context, writes a frame. It never returns to
 * its event loop; the answer to a call within the turn comes over the same pipe.
 */
import { bareContext } from './bare-context.ts';
import { runTurn } from './unhandled-rejections.ts';
import { readFileSync, readSync, writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import vm from 'node:vm';
import type { ContextHandle } from '@mk/libmk/dispatcher/context/context-main';
import { GLOBALS_SCRIPT } from '@mk/libmk/dispatcher/context/global-names';
import { PlainReader } from '@mk/libmk/dispatcher/plain-value';
import type { BeginOptions } from './dispatcher-host.ts';
import { NICE } from './shared-words.ts';
import { frameOf, HEAD_BYTES, PIPES, TO_CHILD, TO_CORE } from './process-frames.ts';

function noImport(): never {
  throw 'programs are one bundle: they cannot import()'; // eslint-disable-line no-throw-literal
}

function readExactly(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const count = readSync(PIPES.in, bytes, at, length - at, null);
    if (count === 0) process.exit(0); // the core is gone
    at += count;
  }
  return bytes;
}

function read(kind: number): Uint8Array {
  const head = readExactly(HEAD_BYTES);
  const bytes = readExactly(head.readUInt32BE(0));
  if (head[4] !== kind) throw new Error(`a frame of kind ${head[4]} came in place of ${kind}`);
  return bytes;
}

function write(kind: number, bytes: Uint8Array): void {
  const frame = frameOf(kind, bytes);
  for (let at = 0; at < frame.length;) at += writeSync(PIPES.out, frame, at);
}

function copied(handle: ContextHandle, bytes: Uint8Array): Uint8Array {
  const room = handle.room(bytes.length);
  room.set(bytes);
  return room;
}

function run(): void {
  setPriority(0, NICE);
  v8.setFlagsFromString('--expose-gc');
  const text = readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'dispatcher-context.js'), 'utf8');
  const { context, handle } = bareContext(
    new vm.Script(text, { filename: 'mk:context', importModuleDynamically: noImport }),
  );
  v8.setFlagsFromString('--no-expose-gc');
  write(TO_CORE.ready, new Uint8Array(0));
  const options = new PlainReader(read(TO_CHILD.begin)).read() as unknown as BeginOptions;
  handle.connectFunction((request) => {
    write(TO_CORE.call, new Uint8Array(request));
    return copied(handle, read(TO_CHILD.answer));
  });
  handle.begin({
    epochMs: options.epochMs,
    seed: options.seed,
    memoryBytes: options.bufferBytes,
    measureBytes: () => process.memoryUsage().arrayBuffers,
  });
  new vm.Script(GLOBALS_SCRIPT, { filename: 'mk:globals' }).runInContext(context);
  const program = Buffer.from(options.program).toString('utf8');
  let script: vm.Script | null = new vm.Script(program, { filename: options.name, importModuleDynamically: noImport });
  for (;;) {
    handle.give(copied(handle, read(TO_CHILD.resume)));
    runTurn(context, handle, script);
    script = null;
    write(TO_CORE.turn, new Uint8Array(handle.collect()));
  }
}

try {
  run();
} catch (error) {
  const { name, message, stack } = error as Partial<Error>;
  const cause = name === 'SyntaxError' ? 'NO_PROGRAM' : 'UNCAUGHT';
  write(TO_CORE.ended, Buffer.from(`${cause}\n${String(stack ?? message ?? error).slice(0, 8192)}`));
}
