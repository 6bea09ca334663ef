/** Bundles the engine's thread from source, as the build does, and starts an engine on it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { readPrograms } from '../../src/engine/io/programs.ts';
import { WorkerEngine } from '../../src/engine/io/worker-engine.ts';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../../node_modules/.cache/mk-skb/', import.meta.url));

/** Written under node_modules so that the packages left out of the bundle are found. */
export function bundledWorker(): string {
  mkdirSync(CACHE, { recursive: true });
  const outfile = join(CACHE, `worker-main-${process.pid}.cjs`);
  buildSync({
    entryPoints: [join(SOURCES, 'engine/io/worker-main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['swipl-wasm', 'swipl-wasm/*'],
    logLevel: 'error',
  });
  return outfile;
}

export function startEngine(onRestart: (reason: string) => void = () => undefined): WorkerEngine {
  return new WorkerEngine({ workerPath: bundledWorker(), programs: readPrograms(join(SOURCES, 'rules')), onRestart });
}
