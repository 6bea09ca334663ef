import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { roundTripMoved } from '@mk/monitor-proto/knowledge/round-trip-moved';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { MachineModel } from '../config.ts';
import type { Registry } from '../registry/registry.ts';
import { flattenTree } from './flatten.ts';
import { planAllTrees, planTree, type PlanInput, type PlanKind, type TreeNode } from './multicast-tree.ts';
import type { RelationOf } from './measuring-tasks.ts';
import { type RoundTrips, typicalLatencies } from './round-trips.ts';

/**
 * Plans each core's dissemination trees and pushes them, with a version; replans when measured latencies have moved.
 */
export class Plans {
  version = 0;
  private plannedCores: readonly CoreId[] = [];
  private plannedPackages: readonly number[] = [];
  private plannedLatency = new Map<number, Nanos>();
  private typical: ReadonlyMap<string, Nanos> = new Map();

  constructor(
    private readonly machine: MachineModel,
    private readonly packageOf: (core: CoreId) => number,
    private readonly relationOf: RelationOf,
    private readonly registry: Registry,
    private readonly trips: RoundTrips,
    private readonly sink: EffectSink,
  ) {}

  /** Plans and pushes if the members or a latency changed since the last plan; returns whether it did. */
  update(cause: string): boolean {
    const cores = [...this.registry.members.keys()].sort((a, b) => a - b);
    if (!this.membersChanged(cores) && !this.latencyChanged(cores)) return false;
    this.version += 1;
    this.plannedCores = cores;
    this.plannedPackages = cores.map(this.packageOf);
    this.remember(cores);
    const input = this.inputFor(cores);
    const multicast = planAllTrees('multicast', input);
    const numa = planAllTrees('numa', input);
    this.sink.log('plan_computed', { plan: this.version, cores: cores.length, cause });
    for (const core of cores) {
      const member = known(this.registry.members.get(core));
      this.registry.tell(member, {
        type: 'plan_push',
        version: this.version,
        multicast: flattenTree(known(multicast.get(core))),
        numa: flattenTree(known(numa.get(core))),
      });
    }
    return true;
  }

  /** One root's tree by current measurements. */
  treeOf(kind: PlanKind, root: CoreId): TreeNode {
    const cores = [...this.registry.members.keys()].sort((a, b) => a - b);
    return planTree(kind, { ...this.inputFor(cores), root });
  }

  /**
   * One-way latency for plans: half the shortest measured round trip. For a pair that was not measured, the median of
   * its relation if any of its pairs was, else the description's.
   */
  latencyNs(from: CoreId, to: CoreId): Nanos {
    const trip = this.trips.get(from, to);
    if (trip !== undefined) return trip.min / 2;
    return this.typical.get(this.relationOf(from, to)) ?? this.machine.latencyNs(from, to);
  }

  private inputFor(cores: readonly CoreId[]): Omit<PlanInput, 'root'> {
    const { machine } = this;
    this.typical = typicalLatencies(this.trips, this.relationOf);
    return {
      cores,
      packageOf: this.packageOf,
      latencyNs: (from, to) => this.latencyNs(from, to),
      sendNs: (from, to) => machine.sendOccupancyNs(from, to),
      receiveNs: (from, to) => machine.receiveOccupancyNs(from, to),
    };
  }

  private membersChanged(cores: readonly CoreId[]): boolean {
    return (
      cores.length !== this.plannedCores.length ||
      cores.some((core, i) => core !== this.plannedCores[i] || this.packageOf(core) !== this.plannedPackages[i])
    );
  }

  private latencyChanged(cores: readonly CoreId[]): boolean {
    for (const from of cores) {
      for (const to of cores) {
        if (from === to || this.trips.get(from, to) === undefined) continue;
        const planned = this.plannedLatency.get(from * 65_536 + to) ?? this.machine.latencyNs(from, to);
        if (roundTripMoved(2 * planned, 2 * this.latencyNs(from, to))) return true;
      }
    }
    return false;
  }

  private remember(cores: readonly CoreId[]): void {
    this.plannedLatency = new Map();
    for (const from of cores) {
      for (const to of cores) {
        if (from !== to && this.trips.get(from, to) !== undefined)
          this.plannedLatency.set(from * 65_536 + to, this.latencyNs(from, to));
      }
    }
  }
}
