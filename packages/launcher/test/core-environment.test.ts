import { expect, test } from '@jest/globals';
import { parseCoreSettings } from '@mk/node-kernel/io/settings';
import { type ClusterConfig, coreEnvironment } from '../src/boot/cluster-config.ts';

const CONFIG: ClusterConfig = {
  name: 'a',
  cores: 256,
  machineName: 'flat',
  machine: {},
  timeScale: 1,
  maxCores: 256,
  latencyNs: 0,
  jitterNs: 0,
  seed: '1',
  secret: 'ab'.repeat(32),
  logLevel: 'info',
  logDir: null,
  detached: false,
  listenHost: '127.0.0.1',
  port: 0,
  bootTimeoutMs: 316_000,
  measure: true,
};

test.each([
  [316_000, 316_000],
  [5_000, 60_000],
])('no core gives up its boot before its launcher does: %d ms', (bootTimeoutMs, joinMs) => {
  expect(parseCoreSettings(coreEnvironment({ ...CONFIG, bootTimeoutMs }, 3, null))).toMatchObject({ joinMs });
});
