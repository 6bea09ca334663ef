import { shellWord } from '@mk/machine/shell-line';
import type { Scenario } from '../engine/scenario.ts';
import type { SimRequest } from './options.ts';
import { programWords } from './program-scenario.ts';

/** The one command that runs a scenario again. */
export function repeatCommand(request: SimRequest, scenario: Scenario): string {
  if (request.replay !== null) return `mk-launch sim --replay ${request.replay}`;
  const run = request.program === null ? '' : ` run ${shellWord(request.program)}`;
  const words = [`mk-launch sim${run}`, `--seed ${scenario.seed}`];
  if (request.plan !== null) words.push(`--plan ${request.plan}`);
  if (request.cores !== null) words.push(`--cores ${request.cores}`);
  if (request.machine !== null) words.push(`--machine ${request.machine}`);
  if (request.faultsForNs !== null) words.push(`--for ${request.faultsForNs / 1e6}ms`);
  if (Object.keys(request.weights).length > 0)
    words.push(
      `--weights ${Object.entries(request.weights)
        .map(([kind, weight]) => `${kind}=${weight}`)
        .join(',')}`,
    );
  return [...words, ...programWords(request)].join(' ');
}
