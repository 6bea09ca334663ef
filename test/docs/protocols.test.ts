import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MESSAGES } from '@mk/monitor-proto/messages/table';
import { ROUND_ACTIONS } from '@mk/node-kernel/monitor/agreement/round-actions';

/** docs/PROTOCOLS.md: the messages in its drawings exist. */
const page = readFileSync(join(import.meta.dirname, '../../docs/PROTOCOLS.md'), 'utf8');
const arrows = [...page.matchAll(/^ {2}\w+->>\w+: (.*)$/gm)].map(([, text = '']) => text);

test('every message and round action in the drawings is in its table', () => {
  const known = new Set<string>([...Object.keys(MESSAGES), ...Object.keys(ROUND_ACTIONS)]);
  const named = arrows.flatMap((text) => text.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []);
  expect(named.length).toBeGreaterThan(25);
  expect(named.filter((word) => !known.has(word))).toEqual([]);
});

test('join, round, copy, retype and revoke are drawn', () => {
  expect(page.match(/^```mermaid$/gm)).toHaveLength(5);
  expect(page).not.toMatch(/^ {2}.*;/m); // Mermaid ends a line at a semicolon
});
