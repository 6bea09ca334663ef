import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace } from './running-cluster.ts';

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});
afterEach(() => place.cleanUp());

/** The output of `mkctl cap …`. */
async function cap(...args: string[]): Promise<string> {
  const { stdout, stderr } = await place.mkctl('cap', ...args);
  return `${stdout}${stderr}`.trim();
}

test('memory of one real core is shared, made into something on another, and revoked, with mkctl', async () => {
  await place.boot('--cores', '2');
  expect(await Promise.all([cap('domain', '0', '--memory', '64KiB'), cap('domain', '1')])).toEqual(['0/1', '1/1']);
  const far = await cap('send', '0/1', '1', '1/1');
  const frames = await cap('retype', '1/1', far, 'Frame', '--size', '4KiB', '--count', '2');
  expect(await cap('ls', '1/1')).toMatch(
    /RAM\[0x[0-9a-f]+\+65536\] {2}owner 0\n +\d+ {2}Frame\[0x[0-9a-f]+\+4096\] {2}owner 1/,
  );
  const [subscribed, asked, mint, refused] = await Promise.all([
    cap('subscribe', '1/1', frames),
    cap('asked', '1/1'),
    cap(
      'call',
      '1/1',
      `{"name":"invoke","args":[{"operation":"mint","source":{"address":${far}},"destination":{"address":40},"rights":1}]}`,
    ),
    cap('retype', '0/1', '1', 'Frame', '--size', '4KiB'),
  ]);
  expect({ subscribed, asked, mint }).toEqual({ subscribed: 'done', asked: '', mint: 'null' });
  expect(refused).toContain('REVOKE_FIRST');
  expect(await cap('revoke', '0/1', '1')).toMatch(/^done: 2 cores, \d+ messages$/); // the subscriber's silence is consent
  const [left, audit] = await Promise.all([cap('ls', '1/1'), place.mkctl('audit')]);
  expect(left).not.toMatch(/RAM|Frame/);
  expect(audit).toMatchObject({ status: 0, stdout: expect.stringMatching(/every invariant holds/) });
});
