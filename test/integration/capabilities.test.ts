import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, type Outcome } from './running-cluster.ts';

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});
afterEach(() => place.cleanUp());

test('a person makes, shares, subscribes to and revokes memory of three real cores with mkctl', async () => {
  await place.boot('--cores', '3');
  const cap = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await place.mkctl('cap', ...args);
    return `${stdout}${stderr}`.trim();
  };
  expect(await Promise.all(['0', '1', '2'].map((core) => cap('domain', core, '--memory', core === '0' ? '64KiB' : '0')))).toEqual(['0/1', '1/1', '2/1']);
  const far = await cap('send', '0/1', '1', '1/1');
  const farther = await cap('send', '1/1', far, '2/1');
  const frames = await cap('retype', '2/1', farther, 'Frame', '--size', '4KiB', '--count', '2');
  expect(await cap('ls', '2/1')).toMatch(/RAM\[0x[0-9a-f]+\+65536\] {2}owner 0\n +\d+ {2}Frame\[0x[0-9a-f]+\+4096\] {2}owner 2/);
  expect(await cap('retype', '0/1', '1', 'Frame', '--size', '4KiB')).toContain('REVOKE_FIRST');
  expect(await cap('call', '1/1', `{"name":"invoke","args":[{"operation":"mint","source":{"address":${far}},"destination":{"address":40},"rights":1}]}`)).toBe('null');
  expect(await cap('send', '1/1', '40', '2/1')).toMatch(/MISSING_RIGHT|NOT_SENDABLE/);

  expect(await cap('subscribe', '2/1', frames)).toBe('done');
  const refused: Promise<string> = cap('revoke', '0/1', '1');
  const answer = consent('--refuse');
  expect(await refused).toMatch(/CONSENT_REFUSED|done/); // a loaded host may be slower than the subscriber's time
  await answer;
  expect(await cap('revoke', '0/1', '1')).toMatch(/done: 3 cores, \d+ messages|NOT_FOUND/);
  expect(await cap('ls', '2/1')).not.toContain('RAM');
  const audit: Outcome = await place.mkctl('audit');
  expect(audit).toMatchObject({ status: 0, stdout: expect.stringMatching(/every invariant holds/) });

  /** Answers the first question that comes. */
  async function consent(...how: string[]): Promise<void> {
    for (let tried = 0; tried < 50; tried += 1) {
      const op = (await cap('asked', '2/1')).split('\n')[0]!;
      if (op !== '') return void (await cap('consent', '2/1', op, ...how));
    }
  }
});
