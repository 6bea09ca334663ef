import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { RunOptions } from '@mk/sim/engine/run-scenario';

/** Defaults of every simulated run in tests: a machine whose cores are all alike. */
export const RUN: RunOptions = { hmac: hmacSha256, machineOf: () => flatMachine(2) };
