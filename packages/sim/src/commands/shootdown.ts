/*
 * The shootdown of Baumann et al., SOSP 2009, §5.1: a one-phase round from core 0 over n cores, by each of the four
 * plans, on a machine whose costs come only from the unicast curve and the URPC table. The plans differ in what the
 * hardware does with them (`line-costs.ts`).
 */
import { tableOf } from '@mk/monitor-proto/tables';
import { known } from '@mk/monitor-proto/assert';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import { type CoreId, MILLISECOND, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { PLAN_KINDS, type PlanKind } from '@mk/node-kernel/monitor/agreement/plan';
import type { MachineModel } from '@mk/skb/config';
import { type CostModel, costsOf } from '../engine/costs.ts';
import { Simulation } from '../engine/simulation.ts';
import { costsOfPlan } from './line-costs.ts';

export const SHOOTDOWN_PLANS = PLAN_KINDS;
export type ShootdownPlan = PlanKind;

export interface ShootdownRow {
  readonly cores: number;
  /** Nanoseconds from the request to the last acknowledgement, by plan. */
  readonly ns: Readonly<Record<ShootdownPlan, Nanos>>;
}

/** A booted machine of that many cores that measures rounds. Its costs may change between rounds. */
export class ShootdownBench {
  private readonly simulation: Simulation;
  private readonly costs: { current: CostModel };
  private readonly root: CoreId = 0;

  constructor(
    readonly cores: number,
    private readonly machine: MachineModel,
    hmac: Hmac,
  ) {
    const box = { current: costsOf(machine) };
    this.costs = box;
    const costs: CostModel = {
      latencyNs: (from, to) => box.current.latencyNs(from, to),
      sendNs: (from, to) => box.current.sendNs(from, to),
      receiveNs: (from, to) => box.current.receiveNs(from, to),
      get eventNs() {
        return box.current.eventNs;
      },
    };
    this.simulation = new Simulation({ seed: 'shootdown', cores, machine, costs, hmac, logLevel: 'off', hash: false });
    this.simulation.start();
    const whole = (): boolean => this.planned();
    if (!this.simulation.run(20 * SECOND, whole)) throw new Error(`${cores} cores did not boot`);
  }

  /** The duration of one round by this plan. */
  roundNs(plan: ShootdownPlan): Nanos {
    this.settle();
    this.costs.current = costsOfPlan(plan, this.machine, this.root, this.cores);
    const startedAt = this.simulation.now;
    let endedAt: Nanos | null = null;
    this.simulation.control(this.root, 'round', { plan: plan === 'broadcast' ? 'unicast' : plan }, (reply, at) => {
      if (!reply.ok) throw new Error(`the ${plan} round ended in ${reply.error}: ${reply.text}`);
      endedAt = at;
    });
    this.simulation.run(startedAt + SECOND, () => endedAt !== null);
    if (endedAt === null) throw new Error(`the ${plan} round did not end`);
    return endedAt - startedAt;
  }

  /** Every core knows every other, and has the trees of all. */
  private planned(): boolean {
    for (let core = 0; core < this.cores; core++) {
      const { monitor, services } = known(this.simulation.node(core).kernel);
      if (monitor.context.members.length < this.cores - 1 || services.agreement.plans.version === 0) return false;
    }
    return known(this.simulation.node(SKB_PEER).skb).registry.meshComplete;
  }

  /** Lets acks and heartbeats pass; stops when nobody is occupied. */
  private settle(): void {
    this.simulation.run(this.simulation.now + 40 * MILLISECOND);
  }
}

/** All plans at these numbers of cores; `machineFor` returns the machine cut to a number of cores. */
export function shootdownTable(
  machineFor: (cores: number) => MachineModel,
  counts: readonly number[],
  hmac: Hmac,
): readonly ShootdownRow[] {
  return counts.map((cores) => {
    const bench = new ShootdownBench(cores, machineFor(cores), hmac);
    const ns = tableOf(SHOOTDOWN_PLANS, (plan) => bench.roundNs(plan));
    return { cores, ns };
  });
}
