import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/machines';
import type { RunOptions } from '@mk/sim/run-scenario';

/** What every simulated run of the tests is given: a machine on which all cores are alike. */
export const RUN: RunOptions = { hmac: hmacSha256, machineOf: () => flatMachine(2) };
