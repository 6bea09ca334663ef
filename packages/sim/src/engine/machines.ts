import type { MachineModel } from '@mk/skb/config';

/**
 * All cores alike: 1 µs between any two, and a message occupies each end for 0.2 µs. For tests of protocols, not of
 * costs.
 */
export function flatMachine(coresPerPackage = 4): MachineModel {
  return {
    packageOf: (core) => Math.floor(core / coresPerPackage),
    latencyNs: () => 1_000,
    sendOccupancyNs: () => 200,
    receiveOccupancyNs: () => 200,
  };
}
