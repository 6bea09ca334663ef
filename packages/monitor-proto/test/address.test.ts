import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bareHost, formatAddress, parseAddress, parseLinkAddress, unixAddress } from '../src/address.ts';

test.each([
  ['host.example:80', { host: 'host.example', port: 80 }],
  ['127.0.0.1:7000', { host: '127.0.0.1', port: 7000 }],
  ['[::1]:7000', { host: '::1', port: 7000 }],
  ['[fe80::1%eth0]:7', { host: 'fe80::1%eth0', port: 7 }],
])('%s', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
  expect(formatAddress(address)).toBe(text);
});

test.each(['', 'host', 'host:', ':80', 'host:0', 'host:70000', 'a:b:c', '::1:7000', '[::1]', '[host]:1', 'http://h:1'])(
  '%j is not an address',
  (text) => {
    expect(parseAddress(text)).toBeNull();
  },
);

test('what is written is read back, whatever the host', () => {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
      expect(parseAddress(formatAddress({ host: name, port }))).toEqual({ host: name, port });
    }),
  );
});

test('a host in brackets is the host', () => {
  expect(['[::1]', '::1', 'core-3'].map(bareHost)).toEqual(['::1', '::1', 'core-3']);
});

test('links are taken at a port or at a Unix socket', () => {
  expect(parseLinkAddress('127.0.0.1:7000')).toEqual({ host: '127.0.0.1', port: 7000 });
  expect(unixAddress('/run/mk/core 3:7.sock')).toBe('ws+unix:/run/mk/core 3:7.sock');
  expect(parseLinkAddress('ws+unix:/run/mk/core 3:7.sock')).toEqual({ path: '/run/mk/core 3:7.sock' });
  for (const text of ['ws+unix:', 'ws+unix:run/mk', 'ws+unix:/a\0b', 'unix:/a', '/a'])
    expect(parseLinkAddress(text)).toBeNull();
});
