/** A simulated run as reported to the page: observing changes nothing, and the page shows what happened. */
import { expect, test } from '@jest/globals';
import { runScenario } from '@mk/sim/engine/run-scenario';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { PageRecorder } from '@mk/sim/trace/page-recorder';
import { parseRecording, Player } from '@mk/ui/model/recording';
import { RUN } from './support.ts';

const SCENARIO = scenarioOf(7, { cores: 4, weights: { crash: 30 } });

function recorded(): { readonly text: string; readonly hash: string } {
  const recorder = new PageRecorder(SCENARIO, RUN.machineOf(SCENARIO));
  const options = { ...RUN, observers: [recorder] };
  const { hash } = runScenario(SCENARIO, { ...options, prepare: (simulation) => recorder.watch(simulation) });
  return { text: recorder.text(), hash };
}

test('a run is recorded without a change to it, the same each time, and plays', () => {
  const { text, hash } = recorded();
  expect(hash).toBe(runScenario(SCENARIO, RUN).hash);
  expect(recorded().text).toBe(text);
  const recording = parseRecording(text);
  if (typeof recording === 'string') throw new Error(recording);
  const player = new Player(recording);
  const states = new Set<string>();
  let faults = 0;
  for (let t = recording.begin; t < recording.end; t += 20) {
    player.seek(t);
    for (const { state } of player.model.cores) states.add(state);
    faults = Math.max(faults, player.model.faults.length);
  }
  player.seek(recording.end);
  const { model } = player;
  // Cores crash in this run, and at its end all is well.
  expect([...states].sort()).toEqual(expect.arrayContaining(['ended', 'running']));
  expect(faults).toBeGreaterThan(0);
  expect(model.cores.map(({ state }) => state)).toEqual(['running', 'running', 'running', 'running']);
  expect(model.views?.rows.map(({ view }) => view)).toEqual(Array.from({ length: 4 }, () => model.views?.view));
  expect(model.views?.history.some(({ lost }) => lost.length > 0)).toBe(true);
  expect(model.faults).toEqual([]);
  expect(model.trips).toHaveLength(12);
  expect(model.trees.get('multicast 0')?.core).toBe(0);
  // A round of a core that is alone in its view has nobody to ask.
  const rounds = model.operations
    .list()
    .filter(({ kind, result }) => kind === 'round' && result === 'ok')
    .filter(({ lines }) => lines.some(({ event, cores }) => event === 'round_started' && cores !== 1));
  expect(rounds.length).toBeGreaterThan(0);
  expect(rounds.every(({ lines }) => lines.some(({ event }) => event === 'message_delivered'))).toBe(true);
});
