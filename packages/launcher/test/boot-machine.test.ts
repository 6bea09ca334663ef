import { expect, test } from '@jest/globals';
import { type BootEvent, BootMachine } from '../src/boot/boot-machine.ts';

/** Runs events through a boot of this many cores; the actions other than progress. */
function boot(
  cores: number,
  ...events: readonly BootEvent[]
): { readonly machine: BootMachine; readonly actions: readonly object[] } {
  const machine = new BootMachine(cores);
  const actions = events.flatMap((event) => machine.step(event)).filter(({ type }) => type !== 'progress');
  return { machine, actions };
}

const skbListens: BootEvent = { type: 'listening', process: 'skb', links: '127.0.0.1:7000' };
const meshed = (cores: number): BootEvent => ({
  type: 'mesh_complete',
  cores,
  links: (cores * (cores - 1)) / 2,
  elapsedMs: 12,
});

test('the cores are told the SKB’s address as soon as it listens, and boot ends with the mesh', () => {
  const { machine, actions } = boot(
    2,
    { type: 'listening', process: 'core-0', links: 'a:1' },
    skbListens,
    { type: 'registered', process: 'core-0' },
    meshed(2),
  );
  expect(actions).toEqual([
    { type: 'tell_cores', skbLinks: '127.0.0.1:7000' },
    { type: 'complete', links: 1, elapsedMs: 12 },
  ]);
  expect(machine.state).toBe('complete');
});

test('a mesh of fewer cores than asked for is not the end', () => {
  expect(boot(3, skbListens, meshed(2)).machine.state).toBe('joining');
});

test('one core is complete when it is registered', () => {
  expect(boot(1, skbListens, { type: 'registered', process: 'core-0' }).machine.state).toBe('complete');
});

test('nothing leaves complete or failed (BT1)', () => {
  const end: BootEvent = { type: 'exited', process: 'core-1', how: 'exit status 1', lastWords: '' };
  expect(boot(2, skbListens, meshed(2), end, { type: 'interrupted' }).machine.state).toBe('complete');
  expect(boot(2, end, skbListens, meshed(2)).actions).toEqual([
    { type: 'fail', reason: 'core 1 died during boot (exit status 1)' },
  ]);
});

test.each<[string, BootEvent, string]>([
  [
    'a death',
    { type: 'exited', process: 'core-3', how: 'killed by SIGKILL', lastWords: 'ouch' },
    'core 3 died during boot (killed by SIGKILL): ouch',
  ],
  [
    'a named error',
    { type: 'failed', process: 'core-0', error: 'WRONG_SECRET: no' },
    'core 0 failed during boot: WRONG_SECRET: no',
  ],
  [
    'the SKB’s port',
    { type: 'failed', process: 'skb', error: 'PORT_IN_USE: 127.0.0.1:7000 is taken by another process' },
    'port 7000 is in use by another process; choose another with --port, or leave it out for any free one',
  ],
  ['Ctrl-C', { type: 'interrupted' }, 'interrupted during boot'],
])('boot fails by %s and says so (BT2)', (_what, event, reason) => {
  expect(boot(4, skbListens, event).actions.at(-1)).toEqual({ type: 'fail', reason });
});

test('a deadline says what is missing', () => {
  const deadline: BootEvent = { type: 'deadline', afterMs: 1000 };
  const reasons = [
    boot(2, deadline),
    boot(2, skbListens, { type: 'registered', process: 'core-0' }, deadline),
    boot(2, skbListens, { type: 'registered', process: 'core-0' }, { type: 'registered', process: 'core-1' }, deadline),
  ].map(({ actions }) => (actions.at(-1) as { reason: string }).reason);
  expect(reasons[0]).toContain('the SKB does not listen yet');
  expect(reasons[1]).toContain('1 of 2 cores have not registered (core-1)');
  expect(reasons[2]).toContain('0 of 1 pairs of cores know each other');
});
