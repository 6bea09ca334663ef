import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { VesselSource } from './dispatcher-host.ts';
import type { Isolation } from './isolation.ts';
import { ProcessVessels } from './process-vessel.ts';
import { WorkerVessels } from './worker-vessel.ts';

/**
 * The vessels of a core whose program is in dist/, next to the code for its dispatchers. Loads nothing before the first
 * one.
 */
export function vesselsOf(isolation: Isolation): VesselSource {
  const dist = dirname(fileURLToPath(import.meta.url));
  let text: string | null = null;
  const contextText = (): string => (text ??= readFileSync(join(dist, 'dispatcher-context.js'), 'utf8'));
  if (isolation === 'process') return new ProcessVessels(join(dist, 'dispatcher-process.cjs'));
  return new WorkerVessels({ script: join(dist, 'dispatcher-worker.cjs'), contextText });
}
