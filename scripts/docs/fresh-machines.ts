import { Kernel } from '@mk/node-kernel/kernel';
import { Skb } from '@mk/skb/skb';

const SHARED = {
  cluster: 'docs',
  secret: new Uint8Array(32),
  instance: '0'.repeat(32),
  entropy: new Uint8Array(32),
  hmac: () => new Uint8Array(32),
  logLevel: 'off',
} as const;

/** A kernel before its first event, which knows what its services contribute. */
export function freshKernel(): Kernel {
  return new Kernel({ ...SHARED, wantedCore: 0, skbAddress: '', address: '' });
}

export function freshSkb(): Skb {
  const flat = { packageOf: () => 0, latencyNs: () => 0, sendOccupancyNs: () => 0, receiveOccupancyNs: () => 0 };
  return new Skb({
    ...SHARED,
    expectedCores: 1,
    maxCores: 1,
    machine: flat,
    machineText: '{}',
    settingsFor: () => '{}',
    measure: false,
  });
}
