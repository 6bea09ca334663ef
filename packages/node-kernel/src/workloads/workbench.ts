import type { CpuDriver } from '../cpu-driver/cpu-driver.ts';
import type { Agreement } from '../monitor/agreement/agreement.ts';
import type { MonitorContext } from '../monitor/context.ts';
import type { SystemCallPort } from './caller.ts';

/** A workload's surroundings: one core, seen from its domains. */
export interface Workbench {
  readonly context: MonitorContext;
  readonly cpuDriver: CpuDriver;
  readonly agreement: Agreement;
  readonly systemCall: SystemCallPort;
}
