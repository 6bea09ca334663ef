import { expect, test } from '@jest/globals';
import { givenOptions, wrongCombination } from '../src/option-rules.ts';

const RULES = { needs: { for: ['record', 'replay'] }, excludes: { token: ['host', 'port'] } };

test.each([
  ['', null],
  ['--for 3s --replay=a', null],
  ['--token --other', null],
  ['--host a --port 1', null],
  ['--for=3s', '--for goes with --record or --replay'],
  ['--port 1 --token', '--port has no effect with --token: leave one out'],
  ['--token -- --port 1', null],
])('%s', (line, wrong) => {
  expect(wrongCombination(givenOptions(line.split(' ')), RULES)).toBe(wrong);
});
