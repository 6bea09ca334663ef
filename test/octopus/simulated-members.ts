/**
 * Members of recipes on simulated cores: each uses Octopus through its core's monitor, as a program there does, over
 * the simulated network to the real SKB. A core, or the SKB, can be killed after any event that it handles.
 */
import { octopusOfCore } from '@mk/launcher/client/core-octopus';
import { Octopus } from '@mk/libmk/octopus/octopus';
import { type Nanos, SECOND, SKB_PEER, type PeerId } from '@mk/monitor-proto/ids';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { SimNode } from '@mk/sim/engine/sim-node';
import { Simulation } from '@mk/sim/engine/simulation';

const BOOT: Nanos = 30 * SECOND;
/** Longer than every session time-out and every grace period of a restart and of the registry. */
const PATIENCE: Nanos = 600 * SECOND;

export class SimulatedMembers {
  readonly simulation: Simulation;
  /** Events that the SKB and the watched core have handled since `watch`. */
  handled = 0;
  private watched: PeerId | null = null;
  private answered = false;

  constructor(seed: number, cores: number) {
    const machine = flatMachine(2);
    this.simulation = new Simulation({ seed, cores, machine, hmac: hmacSha256, logLevel: 'off', hash: false, row: 1 });
    this.simulation.observe({ step: (node) => this.stepped(node) });
    this.simulation.start();
    const whole = (): boolean => this.simulation.node(SKB_PEER).skb?.registry.meshComplete === true;
    if (!this.simulation.run(BOOT, whole)) throw new Error('the simulated cluster did not boot');
  }

  member(core: PeerId): Octopus {
    return new Octopus(
      octopusOfCore(
        (verb, args) =>
          new Promise((resolve, reject) => {
            this.simulation.control(core, verb, args as Record<string, unknown>, (reply) => {
              this.answered = true;
              if (reply.ok) resolve(reply.value as never);
              else reject(new Error(`${reply.error}: ${reply.text}`));
            });
          }),
      ),
    );
  }

  /** Counts from now on. */
  watch(core: PeerId): void {
    this.watched = core;
    this.handled = 0;
  }

  /** Advances virtual time until the condition holds; whoever waits for an answer runs before the next event. */
  async until(what: string, done: () => boolean): Promise<void> {
    const end = this.simulation.now + PATIENCE;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (done()) return;
      if (this.simulation.now >= end) throw new Error(`in vain: ${what}`);
      this.answered = false;
      this.simulation.run(end, () => this.answered || done());
    }
  }

  private stepped(node: SimNode): void {
    if (this.watched !== null && (node.id === this.watched || node.id === SKB_PEER)) this.handled += 1;
  }
}
