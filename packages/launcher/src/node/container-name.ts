import { promises as dns } from 'node:dns';
import { isIPv4 } from 'node:net';

/** The name server that Docker puts into every container of a user-defined network. */
const DOCKER_DNS = '127.0.0.11';
const ANSWER_MS = 500;

/**
 * The name of this process's container, like `mk-core-3`, if Docker has one that the other containers resolve to this
 * address; else null, as for a Swarm task, whose name others can resolve only once it is healthy. It identifies the
 * process in `mkctl cores` and in logs.
 */
export async function containerName(address: string): Promise<string | null> {
  if (!isIPv4(address) || !dns.getServers().includes(DOCKER_DNS)) return null;
  try {
    const resolver = new dns.Resolver({ timeout: ANSWER_MS, tries: 1 });
    const reversed = `${address.split('.').reverse().join('.')}.in-addr.arpa`;
    const [full = ''] = await resolver.resolvePtr(reversed);
    const [name = '', ...network] = full.split('.');
    if (network.length > 1) return null;
    const found = await resolver.resolve4(name);
    return found.length === 1 && found[0] === address ? name : null;
  } catch {
    return null;
  }
}
