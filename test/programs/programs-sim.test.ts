import { describe, expect, test } from '@jest/globals';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';
import { CASES, fileOf } from './cases.ts';
import { EDGES, edgeText, endOf, ENDS } from './edges.ts';

const TEXTS = new Map<string, Promise<string>>();

function textOf(file: string): Promise<string> {
  const known = TEXTS.get(file) ?? programText(fileOf(file));
  TEXTS.set(file, known);
  return known;
}

/** Runs a program of the list to its end in the simulator: how it ended, its output, its leftovers, and the trace. */
async function run(file: string, args: readonly string[], seed: number) {
  const s = new ProgramSimulation({ seed, cores: 5 });
  s.load(0, file, await textOf(file));
  const domain = s.spawn(0, file, args);
  const { cause, status, text } = s.wait(0, domain);
  const output = s.output.filter((line) => !line.includes('a mistake of the server'));
  const channels = Array.from({ length: 5 }, (_, core) =>
    s.value<{ channels: unknown[]; names: unknown[] }>(core, 'channels'),
  );
  const left = channels.flatMap(({ channels: ends, names }) => [...ends, ...names]);
  return { ended: { cause, status, text, output, left }, hash: s.simulation.hash?.digest() };
}

describe('Barrelfish’s tests as programs, in the simulator', () => {
  test.each(CASES)('$name ends well, and twice the same', async ({ file, args, seed = 1 }) => {
    const first = await run(file, args, seed);
    expect(first.ended).toEqual({ cause: 'exited', status: 0, text: '', output: [], left: [] });
    const second = await run(file, args, seed);
    expect(second).toEqual(first);
    expect(first.hash).toBeTruthy();
  });
});

test('programs as a stranger would try them end by name, as on processes', async () => {
  const s = new ProgramSimulation({ cores: 3 });
  const ends = [];
  for (const edge of EDGES) {
    s.load(0, edge.name, await edgeText(edge));
    ends.push(endOf(edge.name, s.wait(0, s.spawn(0, edge.name, []))));
  }
  expect(ends).toEqual(ENDS);
});
