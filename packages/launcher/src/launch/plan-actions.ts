import { handlerFor } from '@mk/monitor-proto/handlers';
import type { FaultAction } from '@mk/machine/fault-plan';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { msOf } from '../cli/ms-of.ts';
import { CommandError } from '../cli/usage-error.ts';
import { SKB } from '../boot/boot-machine.ts';
import type { ProcessControl } from '../supervisor/process-control.ts';

type Performers = {
  readonly [T in FaultAction['type']]: (
    action: Extract<FaultAction, { type: T }>,
    control: ProcessControl,
  ) => Promise<unknown>;
};

/** How long an SKB that a plan takes away and brings back may take to return. */
const SKB_BACK_MS = 60_000;
const LOOK_MS = 100;

/** How each kind of fault is applied to a cluster of real processes. */
const PERFORMERS: Performers = {
  rule: ({ rule }, control) => control.addFault(rule),
  heal: ({ target }, control) => control.heal(target),
  crash: ({ cores }, control) => Promise.all(cores.map((core) => control.crash(core))),
  restart: async ({ cores }, control) => {
    await skbBack(control);
    return Promise.all(cores.map((core) => control.restart(core)));
  },
  hang: async ({ cores, forNs }, control) => cores.forEach((core) => control.hang(core, msOf(forNs))),
  slow: async ({ cores, factor, forNs }, control) => cores.forEach((core) => control.slow(core, factor, msOf(forNs))),
  rogue: ({ cores, behaviour, forNs }, control) =>
    Promise.all(cores.map((core) => control.rogue(core, behaviour, msOf(forNs)))),
  skb_loss: async ({ forNs }, control) => {
    await control.crash('skb');
    if (forNs === null) return undefined;
    await new Promise<void>((resolve) => callAfter(forNs / 1e6, resolve));
    return control.restart('skb');
  },
};

/** Faults that a dead core is spared, as in the simulator. */
const OF_THE_LIVING: ReadonlySet<FaultAction['type']> = new Set(['crash', 'hang', 'slow', 'rogue']);

/**
 * Applies a fault to a cluster's processes. Reports and skips one that makes no sense at the moment (crashing a dead
 * core).
 */
export async function perform(
  control: ProcessControl,
  action: FaultAction,
  say: (text: string) => void,
): Promise<void> {
  try {
    await handlerFor(PERFORMERS, action.type)(action, control);
  } catch (error) {
    if (!(error instanceof CommandError) || !OF_THE_LIVING.has(action.type)) throw error;
    say(`left out: ${error.message}`);
  }
}

/** Resolves when the SKB runs, since cores join through it, or when its time is up. */
export async function skbBack(control: ProcessControl): Promise<void> {
  const end = performance.now() + SKB_BACK_MS;
  while (control.ps().find(({ name }) => name === SKB)?.state !== 'running' && performance.now() < end)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
