import { isCore, NO_CORE, type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import { createPrng } from '@mk/monitor-proto/prng';
import { Kernel } from '@mk/node-kernel/kernel';
import { Skb } from '@mk/skb/skb';
import type { AnyMachine, SimNode } from './sim-node.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimulationOptions } from './simulation-options.ts';

/** The secret of every simulated cluster, which nobody overhears. */
const SECRET = new TextEncoder().encode('the secret of a simulated cluster');
const SIM_CLUSTER = 'sim';

/** A core's kernel, as its process would make it. */
export function bootKernel(node: SimNode, options: SimulationOptions, skbAddress: string): AnyMachine {
  const { entropy, instance } = identityOf(node.id, node.life, options.seed);
  node.instance = instance;
  node.kernel = new Kernel({
    cluster: SIM_CLUSTER,
    secret: SECRET,
    instance,
    wantedCore: isCore(node.id) ? node.id : NO_CORE,
    skbAddress,
    address: node.address,
    host: options.hostOf?.(node.id) ?? '',
    entropy,
    hmac: options.hmac,
    logLevel: options.logLevel,
  });
  return node.kernel;
}

/** The SKB, as its process would make it. */
export function bootSkb(node: SimNode, options: SimulationOptions, disk: SimDisk): AnyMachine {
  disk.lives += 1;
  const { entropy, instance } = identityOf(SKB_PEER, node.life, options.seed);
  node.instance = instance;
  node.incarnation = 1;
  node.skb = new Skb({
    cluster: SIM_CLUSTER,
    secret: SECRET,
    instance,
    entropy,
    hmac: options.hmac,
    logLevel: options.logLevel,
    expectedCores: options.cores,
    maxCores: options.cores,
    machine: options.machine,
    machineText: options.machineText ?? '{}',
    settingsFor: () =>
      JSON.stringify({ leaseMs: options.leaseMs ?? LEASE_MS, ...JSON.parse(options.settings ?? '{}') }),
    measure: options.measure ?? false,
    life: disk.lives,
    lastView: disk.view,
    knowledge: { engine: false, journal: true },
  });
  return node.skb;
}

/** Unless the options set a lease's length, no view drops a core that is not proven dead. */
const LEASE_MS = 1_000_000;

/** The identity of a process (name, entropy), derived from the seed, the node and its life. */
function identityOf(
  id: PeerId,
  life: number,
  seed: number | string,
): { readonly entropy: Uint8Array; readonly instance: string } {
  const prng = createPrng(seed).split(`process ${id}.${life}`);
  const entropy = Uint8Array.from({ length: 32 }, () => prng.nextInt(256));
  const instance = Array.from({ length: 4 }, () => prng.nextUint32().toString(16).padStart(8, '0')).join('');
  return { entropy, instance };
}
