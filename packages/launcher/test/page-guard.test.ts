import { describe, expect, test } from '@jest/globals';
import { hostname } from 'node:os';
import { hostRefusal, isToken, originRefusal } from '@mk/launcher/ui/page-guard';

describe('Host', () => {
  test.each(['127.0.0.1:7070', 'localhost:7070', 'LOCALHOST', '[::1]:7070', '10.1.2.3:80', '[fe80::1]', hostname()])(
    '%s is served: nobody can make it somebody else’s name',
    (host) => expect(hostRefusal({ host }, [])).toBeNull(),
  );

  test.each([
    'evil.example',
    'evil.example:7070',
    '127.0.0.1.evil.example',
    'localhost.evil.example:80',
    'a@127.0.0.1',
    '',
    '127.0.0.1:7070 x',
  ])('%j is refused: it may be rebound, or is not a host', (host) => expect(hostRefusal({ host }, [])).not.toBeNull());

  test('none is refused', () => expect(hostRefusal({}, [])).toContain('missing'));

  test('a name that the operator gave is served', () => {
    expect(hostRefusal({ host: 'mk.lab:7070' }, ['mk.lab'])).toBeNull();
    expect(hostRefusal({ host: 'mk.lab.evil:7070' }, ['mk.lab'])).not.toBeNull();
  });
});

describe('Origin', () => {
  const host = '127.0.0.1:7070';
  test.each(['http://127.0.0.1:7070', 'https://127.0.0.1:7070'])('%s is the page itself', (origin) =>
    expect(originRefusal({ host, origin }, [])).toBeNull(),
  );

  test.each([
    'http://evil.example',
    'null',
    'http://127.0.0.1:7071',
    'http://127.0.0.1',
    'http://localhost:7070',
    'file://',
    '',
  ])('%j is another site’s', (origin) => expect(originRefusal({ host, origin }, [])).not.toBeNull());

  test('none is refused: every browser sends one with a WebSocket', () =>
    expect(originRefusal({ host }, [])).toContain('Origin'));

  test('a rebound name is refused though Origin and Host agree', () =>
    expect(originRefusal({ host: 'evil.example:7070', origin: 'http://evil.example:7070' }, [])).not.toBeNull());
});

test('a token is compared whole', () => {
  expect(isToken('abcd', 'abcd')).toBe(true);
  for (const given of ['', 'abc', 'abcde', 'abce', 'ABCD']) expect(isToken(given, 'abcd')).toBe(false);
});
