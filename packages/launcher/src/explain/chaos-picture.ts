import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogLine } from '../display/log-printer.ts';
import { clusterPicture } from './cluster-picture.ts';

/** Draws a run of chaos into its folder. */
export async function drawChaos(folder: string, seed: string | number, lines: readonly LogLine[]): Promise<void> {
  await writeFile(join(folder, 'space-time.svg'), clusterPicture(`Chaos of seed ${seed}`, lines));
}
