import { afterEach, expect, test } from '@jest/globals';
import { ClusterPlace } from './running-cluster.ts';

const place = new ClusterPlace();
afterEach(() => place.cleanUp());

test('the tour of a small machine holds every check and leaves nothing behind', async () => {
  const { status, stdout, stderr } = await place.start('mk-launch.cjs', [
    'tour',
    '--cores',
    '6',
    '--machine',
    'amd-2x2',
    '--seed',
    '1',
  ]).ended;
  expect(stdout.startsWith('seed 1\n')).toBe(true);
  expect(stdout.split('\n').filter((line) => line.includes('✗'))).toEqual([]);
  expect(stdout).toContain('; 15 of 15 pairs know each other\n');
  expect(stdout).toMatch(/(\d+) of \1 checks held/);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(place.processes()).toEqual([]);
});
