import { afterEach, describe, expect, test } from '@jest/globals';
import { Rogues } from '../src/supervisor/rogues.ts';

const PROCESS = { ended: false };

/** Processes; the named ones do not answer. */
function cluster() {
  const silent = new Set<object>();
  const heard: string[] = [];
  const rogues = new Rogues<typeof PROCESS>({
    ask: (process, { behaviour }) => {
      heard.push(behaviour);
      return silent.has(process) ? Promise.reject(new Error('no answer')) : Promise.resolve();
    },
    note: () => undefined,
    log: () => undefined,
  });
  closing.push(rogues);
  return { silent, heard, rogues };
}
const closing: Rogues<typeof PROCESS>[] = [];
afterEach(() => closing.splice(0).forEach((rogues) => rogues.close()));

/** By the process's clock: a core is asked again a second later. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('cores that misbehave by order', () => {
  test('an order that was not answered may have been heard: a heal ends it', async () => {
    const { silent, heard, rogues } = cluster();
    silent.add(PROCESS);
    await expect(rogues.begin(1, PROCESS, 'lie', null)).rejects.toThrow('no answer');
    silent.delete(PROCESS);
    expect(await rogues.heal('all')).toEqual({ healed: ['rogue:1'], missing: [] });
    expect(heard).toEqual(['lie', 'none']);
  });

  test('a taken over core is told to behave, and one that did not answer again, though nobody knows whether it misbehaves', async () => {
    const { silent, heard, rogues } = cluster();
    const other = { ended: false };
    silent.add(PROCESS);
    await rogues.follow([
      [1, PROCESS],
      [2, other],
      [3, { ended: true }],
    ]);
    expect(heard).toEqual(['none', 'none']);
    silent.delete(PROCESS);
    await until(() => heard.length > 2);
    expect(heard).toEqual(['none', 'none', 'none']);
  });

  test('a core that does not answer a heal is named, fails no other one, and is healed later', async () => {
    const { silent, rogues } = cluster();
    const other = { ended: false };
    await rogues.begin(1, PROCESS, 'lie', null);
    await rogues.begin(2, other, 'lie', null);
    silent.add(PROCESS);
    expect(await rogues.heal('all')).toEqual({ healed: ['rogue:2'], missing: [1] });
    silent.delete(PROCESS);
    expect(await rogues.heal('all')).toEqual({ healed: ['rogue:1'], missing: [] });
    expect(await rogues.heal('all')).toEqual({ healed: [], missing: [] });
  });
});
