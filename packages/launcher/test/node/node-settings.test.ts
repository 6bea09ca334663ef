import { describe, expect, test } from '@jest/globals';
import { parseCoreSettings } from '@mk/node-kernel/io/settings';
import { parseSkbSettings } from '@mk/skb/io/settings';
import { nodeSettings, pagePlace, unknownVariables } from '../../src/node/node-settings.ts';

const facts = { secret: 'ab'.repeat(32), address: '172.18.0.2', machine: () => 'no such machine' };
const core = { MK_SKB_ADDRESS: 'skb:7000' };

describe('a process told by its environment', () => {
  test('a core takes any id, advertises its own address, and is accepted by the kernel', () => {
    const settings = nodeSettings('core', core, facts);
    expect(settings).toMatchObject({
      skb: 'skb:7000',
      core: null,
      listenPort: 7000,
      advertiseHost: '172.18.0.2',
      detached: true,
    });
    expect(parseCoreSettings(JSON.stringify(settings))).toEqual(settings);
  });

  test('the SKB has room for more cores than it waits for, and is accepted by the SKB', () => {
    const settings = nodeSettings('skb', { MK_CORES: '8', MK_LATENCY: '2ms', MK_JITTER: '0.5ms' }, facts);
    expect(settings).toMatchObject({ expectedCores: 8, maxCores: 256, links: { delayNs: 2e6, jitterNs: 5e5 } });
    const { machine, ...told } = settings as { readonly machine: unknown };
    expect(machine).toBeNull();
    expect(parseSkbSettings(JSON.stringify(told))).toEqual(settings);
  });

  test('a core says on which host it runs when it is told so', () => {
    const settings = nodeSettings('core', { ...core, MK_HOST: 'rack-1' }, facts);
    expect(settings).toMatchObject({ host: 'rack-1' });
    expect(parseCoreSettings(JSON.stringify(settings))).toEqual(settings);
    expect(nodeSettings('core', { ...core, MK_HOST: '' }, facts)).not.toHaveProperty('host');
  });

  test('an empty variable is an absent one: compose passes ${X:-}', () => {
    expect(nodeSettings('core', { ...core, MK_CORE_ID: '', MK_PORT: '' }, facts)).toMatchObject({
      core: null,
      listenPort: 7000,
    });
  });

  test.each([
    ['core', {}, 'MK_SKB_ADDRESS'],
    ['core', { MK_SKB_ADDRESS: 'skb' }, 'MK_SKB_ADDRESS'],
    ['core', { ...core, MK_PORT: '70000' }, 'MK_PORT'],
    ['core', { ...core, MK_CORE_ID: 'one' }, 'MK_CORE_ID'],
    ['core', { ...core, MK_HOST: 'two words' }, 'MK_HOST'],
    ['core', { ...core, MK_LOG_LEVEL: 'loud' }, 'MK_LOG_LEVEL'],
    ['core', { ...core, MK_ADVERTISE_HOST: 'two words' }, 'MK_ADVERTISE_HOST'],
    ['core', { ...core, MK_ADVERTISE_HOST: 'http://me' }, 'MK_ADVERTISE_HOST'],
    ['core', { ...core, MK_ADVERTISE_HOST: 'me:7000' }, 'MK_ADVERTISE_HOST'],
    ['skb', { MK_LISTEN_HOST: '10.0.0.0/8' }, 'MK_LISTEN_HOST'],
    ['skb', { MK_CLUSTER: 'a\nb' }, 'MK_CLUSTER is "a\\nb"'],
    ['core', { ...core, MK_CLUSTER: 'x'.repeat(100) }, 'MK_CLUSTER'],
    ['core', { ...core, MK_TRANSPORT: 'pipes' }, 'MK_TRANSPORT'],
    ['core', { ...core, MK_TRANSPORT: 'unix', MK_SOCKET_DIR: 'run' }, 'MK_SOCKET_DIR: it is not absolute'],
    ['skb', { MK_TRANSPORT: 'unix', MK_SOCKET_DIR: `/${'x'.repeat(100)}` }, 'MK_SOCKET_DIR: the path of a Unix socket'],
    ['core', { ...core, MK_CORS: '4' }, 'MK_CORS is unknown'],
    ['skb', { MK_CORES: '300' }, 'MK_CORES'],
    ['skb', { MK_LATENCY: '2' }, 'MK_LATENCY'],
    ['skb', { MK_TIME_SCALE: 'fast' }, 'MK_TIME_SCALE'],
    ['skb', { MK_MACHINE: 'cray' }, 'MK_MACHINE: no such machine'],
  ] as const)('%s with %j is refused in one line that names the variable', (role, environment, named) => {
    const refusal = nodeSettings(role, environment, facts);
    expect(refusal).toEqual(expect.stringContaining(named));
    expect(refusal).not.toContain('\n');
  });

  test('links run at sockets where a folder for them is named, else over TCP', () => {
    const unix = { MK_SKB_ADDRESS: 'ws+unix:/run/mk/skb.sock', MK_TRANSPORT: 'unix' };
    const settings = nodeSettings('core', { ...unix, MK_SOCKET_DIR: '/run/mk' }, facts);
    expect(settings).toMatchObject({ skb: 'ws+unix:/run/mk/skb.sock', socketDir: '/run/mk' });
    expect(parseCoreSettings(JSON.stringify(settings))).toEqual(settings);
    expect(nodeSettings('skb', { MK_TRANSPORT: 'unix', MK_SOCKET_DIR: '/run/mk' }, facts)).toMatchObject({
      socketDir: '/run/mk',
    });
    expect(nodeSettings('core', unix, facts)).not.toHaveProperty('socketDir');
    expect(nodeSettings('core', { ...core, MK_SOCKET_DIR: '/run/mk' }, facts)).not.toHaveProperty('socketDir');
  });

  test('variables that are nobody’s slip are left alone, and named', () => {
    const others = {
      ...core,
      MK_POD_NAME: 'a',
      MK_STATE_DIR: '/x',
      MK_SKB_SERVICE_HOST: '10.0.0.1',
      MK_SKB_PORT: 'tcp://x:1',
    };
    expect(nodeSettings('core', others, facts)).toMatchObject({ skb: 'skb:7000' });
    expect(unknownVariables(others)).toEqual([{ name: 'MK_POD_NAME', meant: null }]);
    // Services named mk and mk-ui.
    const addresses = { MK_PORT: 'tcp://[fd00::1]:7000', MK_UI_PORT: 'tcp://10.0.0.3:80' };
    expect(nodeSettings('core', { ...others, ...addresses }, facts)).toMatchObject({ listenPort: 7000 });
    expect(pagePlace(addresses, '10.0.0.7')).toBeNull();
  });

  test('names of the page, and a token that no header could carry, are refused by their variable', () => {
    expect(pagePlace({ MK_UI_PORT: '0', MK_UI_NAME: 'mk.example,two words' }, '10.0.0.7')).toContain('MK_UI_NAME');
    expect(pagePlace({ MK_UI_PORT: '0', MK_UI_NAME: 'mk.example,other' }, '10.0.0.7')).toMatchObject({
      names: ['mk.example', 'other'],
    });
    for (const token of ['a\nb', 'é', 'two words', 'x'.repeat(5000)])
      expect(() => nodeSettings('core', { ...core, MK_METRICS_TOKEN: token }, facts)).toThrow('MK_METRICS_TOKEN');
    for (const host of ['fe80::1%eth0', '::1', '[::1]', 'my_host', 'a.b-c', '10.0.0.1'])
      expect(nodeSettings('core', { ...core, MK_ADVERTISE_HOST: host }, facts)).toBeInstanceOf(Object);
  });

  test('a host that has IPv6 alone listens there', () => {
    expect(nodeSettings('core', core, { ...facts, address: 'fd00::2' })).toMatchObject({
      listenHost: '::',
      advertiseHost: 'fd00::2',
    });
  });

  test('a short secret is refused', () => {
    expect(nodeSettings('core', core, { ...facts, secret: 'abc' })).toEqual(expect.stringContaining('MK_SECRET'));
  });
});
