/** Starts SWI-Prolog, compiled to WebAssembly, for this engine and for the maker of its saved state. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import initSwipl from 'swipl-wasm/dist/swipl-node.js';
import { ENGINE_LIMITS } from '../limits.ts';
import type { Once, Swipl } from './swipl-types.ts';

export interface SwiplOptions {
  /** A saved state; absent: Prolog alone. */
  readonly state?: Uint8Array;
  /** What Prolog prints on its error stream. */
  readonly complain: (line: string) => void;
}

/** How much a function may run before V8 optimises it: V8's default, and a budget that a start does not use up. */
const USUAL_BUDGET = 1_800_000;
const LATE_BUDGET = 2_000_000_000;
const STATE_PATH = '/engine.prc';

/** Our TypeScript libraries cover only the language itself. */
declare const WebAssembly: WasmCompiler;
interface WasmCompiler {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ readonly instance: object }>;
}

/**
 * Starts Prolog, from a saved state if there is one.
 *
 * Prolog's interpreter is one function of 82 KB. V8 would optimise it right after the start: half a second of CPU while
 * cores boot, with no gain for the start. So the module is instantiated with a larger budget, and optimised after a
 * second or so of queries.
 */
export async function startSwipl({ state, complain }: SwiplOptions): Promise<Swipl> {
  const wasm = readFileSync(createRequire(import.meta.url).resolve('swipl-wasm/dist/swipl/swipl-web.wasm'));
  const options: object = {
    arguments: [
      '-q',
      `--stack-limit=${ENGINE_LIMITS.stackMebibytes}m`,
      ...(state === undefined ? [] : ['-x', STATE_PATH]),
    ],
    preRun: [(module: Swipl) => state !== undefined && module.FS.writeFile(STATE_PATH, state)],
    print: () => undefined,
    printErr: complain,
    instantiateWasm: (imports: object, receive: (instance: object) => void) => {
      setFlagsFromString(`--wasm-tiering-budget=${LATE_BUDGET}`);
      WebAssembly.instantiate(wasm, imports)
        .finally(() => setFlagsFromString(`--wasm-tiering-budget=${USUAL_BUDGET}`))
        .then(
          ({ instance }) => receive(instance),
          (error: unknown) => complain(String(error)),
        );
      return {};
    },
  };
  return initSwipl(options) as Promise<unknown> as Promise<Swipl>;
}

/** Runs one of our own goals, which cannot fail; if it does, the engine is useless. Variables in swipl-wasm's form. */
export function must(swipl: Swipl, goal: string, input: Record<string, unknown> = {}): Once {
  const result = swipl.prolog.query(goal, input).once();
  if (result.success !== true) throw new Error(`${goal}: ${result.message ?? 'failed'}`);
  return result;
}
