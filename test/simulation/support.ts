import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { RunOptions } from '@mk/sim/engine/run-scenario';

/** What every simulated run of the tests is given: a machine on which all cores are alike. */
export const RUN: RunOptions = { hmac: hmacSha256, machineOf: () => flatMachine(2) };
