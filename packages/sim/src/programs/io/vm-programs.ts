import { bareContext } from '@mk/node-kernel/io/dispatchers/bare-context';
import { runTurn } from '@mk/node-kernel/io/dispatchers/unhandled-rejections';
import { isRecord } from '@mk/monitor-proto/guards';
import { programLimit } from '@mk/node-kernel/monitor/programs/limits';
import vm from 'node:vm';
import type { ContextHandle } from '@mk/libmk/dispatcher/context/context-main';
import { GLOBALS_SCRIPT } from '@mk/libmk/dispatcher/context/global-names';
import { borderLimit } from '@mk/libmk/dispatcher/limits';
import { BorderError, PlainReader, PlainWriter } from '@mk/libmk/dispatcher/plain-value';
import type { HandedFrame } from '@mk/node-kernel/cpu-driver/dispatchers/handed-frame';
import { decodeTurn, encodeResult, encodeResumption, type Resumption } from '@mk/libmk/dispatcher/protocol';
import { watched } from '../../io/bounded.ts';
import { Stalled } from '../program-run.ts';
import type { ContextOptions, ContextTurn, ProgramContext, ProgramWorld } from '../program-world.ts';

/** 2009-10-11, when the paper was presented: today's date for simulated programs. */
const EPOCH_MS = Date.UTC(2009, 9, 11);
/** Compiled programs that are kept; a scenario has a handful. */
const KEPT = 64;
const GLOBALS = new vm.Script(GLOBALS_SCRIPT, { filename: 'mk:globals' });

/** A turn that did not return in an earlier run is broken off after this long. */
const ENDLESS_MS = 4_000;
/** Calls answered per turn: even an endless turn makes a number of calls that every run agrees on. */
const CALLS_MOST = 100_000;

/**
 * Matches `import()` calls, certain or possible. Node answers them with an error of its own realm, a way out of the
 * context, and without a flag takes no other answer from us. Matches in strings and comments are refused as well: only
 * a parser could tell them apart.
 */
const IMPORT_CALL =
  /(?<![\w$]|(?<!\.\.)\.)import(?:\s|\/\*[^]*?\*\/|\/\/[^\n\r\u2028\u2029]*|<!--[^\n\r\u2028\u2029]*|-->[^\n\r\u2028\u2029]*)*[(.]/;

/** Compiles the text; throws SyntaxError if it calls `import()`. */
function scriptFrom(text: string, name: string): vm.Script {
  if (IMPORT_CALL.test(text))
    throw new SyntaxError(`${name}: programs are one bundle: they cannot use import() or import.meta`);
  return new vm.Script(text, { filename: name });
}

/**
 * Programs in contexts of this thread: with `microtaskMode: 'afterEvaluate'` a turn is one `runInContext`, which drains
 * the context's promises before it returns. Nothing of the host enters but bytes.
 */
export class VmPrograms implements ProgramWorld {
  private readonly scripts = new Map<string, vm.Script>();
  private readonly contextScript: vm.Script;

  /** `contextText`: the text that a context evaluates first (dispatcher/context of libmk, bundled). */
  constructor(
    contextText: string,
    /** Plants something in every context: how a test shows that it is noticed. */
    private readonly plant: (context: vm.Context) => void = () => undefined,
  ) {
    this.contextScript = scriptFrom(contextText, 'mk:context');
  }

  context(options: ContextOptions): ProgramContext {
    return new VmProgram(options, this.contextScript, () => this.scriptOf(options.program), this.plant);
  }

  private scriptOf({ name, bytes, digest }: ContextOptions['program']): vm.Script {
    let script = this.scripts.get(digest);
    if (script === undefined) {
      script = scriptFrom(Buffer.from(bytes).toString('utf8'), name);
      if (this.scripts.size >= KEPT) this.scripts.clear();
      this.scripts.set(digest, script);
    }
    return script;
  }
}

class VmProgram implements ProgramContext {
  private readonly context: vm.Context;
  private readonly handle: ContextHandle;
  private readonly writer = new PlainWriter(64 << 20);
  private readonly answers = new PlainWriter(borderLimit('callNowBytes') * 2);
  private begun = false;
  private callsNow = 0;

  constructor(
    private readonly options: ContextOptions,
    contextScript: vm.Script,
    private readonly script: () => vm.Script,
    plant: (context: vm.Context) => void,
  ) {
    ({ context: this.context, handle: this.handle } = bareContext(contextScript));
    this.handle.connectFunction((request) => this.serve(request));
    this.handle.begin({ epochMs: EPOCH_MS, seed: options.seed, memoryBytes: options.bufferBytes, measureBytes: null });
    GLOBALS.runInContext(this.context);
    plant(this.context);
  }

  resume(resumption: Resumption, frames: readonly HandedFrame[] = [], suspect = false): ContextTurn {
    this.callsNow = 0;
    this.give(encodeResumption(this.writer, resumption), frames);
    try {
      if (!suspect) this.run({});
      else if (watched(ENDLESS_MS, (timeout) => this.run({ timeout })) === null)
        return { ...this.over(null, '', '', NOTHING), endless: true };
    } catch (error) {
      if (error instanceof Stalled) throw error;
      const { name, text } = described(error);
      return this.over(null, text, name === 'SyntaxError' ? 'NO_PROGRAM' : 'UNCAUGHT', NOTHING);
    }
    return this.collect();
  }

  private run(limit: vm.RunningScriptOptions): true {
    const isFirst = !this.begun;
    this.begun = true;
    runTurn(this.context, this.handle, isFirst ? this.script() : null, limit);
    return true;
  }

  private collect(): ContextTurn {
    let bytes = NOTHING;
    try {
      bytes = new Uint8Array(this.handle.collect());
      return this.over(decodeTurn(bytes), '', '', bytes);
    } catch (error) {
      return this.over(null, described(error).text, '', bytes);
    }
  }

  private over(turn: ContextTurn['turn'], fault: string, ended: string, bytes: Uint8Array): ContextTurn {
    return { turn, fault, ended, bytes, callsNow: this.callsNow, endless: false };
  }

  private give(bytes: Uint8Array, frames: readonly HandedFrame[]): void {
    const room = this.handle.room(bytes.length);
    room.set(bytes);
    this.handle.give(room, frames);
  }

  /** Only bytes go out, and only bytes in the context's own memory come in. */
  private serve(request: Uint8Array): Uint8Array | null {
    if (this.callsNow >= CALLS_MOST) return null;
    const asked = new PlainReader(new Uint8Array(request)).read();
    if (!Array.isArray(asked) || typeof asked[0] !== 'string' || !Array.isArray(asked[1])) return null;
    this.callsNow += 1;
    const result = encodeResult(this.answers, this.options.callNow(asked[0], asked[1]));
    const room = this.handle.room(result.length);
    room.set(result);
    return room;
  }
}

const NOTHING = new Uint8Array(0);

/** Describes an error of the context, which may be any value. */
function described(error: unknown): { readonly name: string; readonly text: string } {
  try {
    if (error instanceof BorderError) return { name: error.name, text: error.message };
    if (!isRecord(error)) return { name: 'Error', text: String(error).slice(0, programLimit('endingCharacters')) };
    const { name, message, stack } = error;
    // The stack trace of a compile error is the host's.
    if (name === 'SyntaxError')
      return {
        name,
        text: String(stack)
          .replace(/^\s+at .*\n?/gm, '')
          .trimEnd(),
      };
    return { name: String(name), text: String(stack ?? message ?? error).slice(0, programLimit('endingCharacters')) };
  } catch {
    return { name: 'Error', text: 'an error that cannot be read' };
  }
}
