import { known } from '@mk/monitor-proto/assert';

import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';

import type { Chapter, Tour } from '../tour.ts';

const PAGE = 4096;

/** The level-2 address at which a new domain finds its memory. */
const MEMORY = 1;

export const CAPABILITIES: Chapter = {
  title: 'Memory is a capability: shared with every core, made into something far away, revoked everywhere',
  async run(tour) {
    const cores = Array.from({ length: tour.cores }, (_, core) => core);
    const domains = await Promise.all(
      cores.map(
        async (core) =>
          (await tour.core(core, 'domain_create', { cnodes: 1, memory: core === 0 ? 64 * PAGE : 0 })).domain,
      ),
    );
    const own = known(domains[0]);
    const { address: part } = await tour.core(0, 'cap_retype', {
      domain: own,
      source: MEMORY,
      kind: 'RAM',
      offset: 0,
      size: 16 * PAGE,
    });
    tour.say('a domain on core 0 retypes 256 KiB of RAM: 64 KiB of it are a capability of their own');
    const copies = await Promise.all(
      cores
        .slice(1)
        .map((core) => tour.core(0, 'cap_send', { domain: own, source: part, core, to: known(domains[core]) })),
    );
    tour.check(`${copies.length} copies sent, one to every other core`, copies.length === tour.cores - 1);
    const far = tour.cores - 1;
    await tour.core(far, 'cap_retype', {
      domain: known(domains[far]),
      source: copies[far - 1],
      kind: 'Frame',
      offset: 0,
      size: PAGE,
      count: 4,
    });
    tour.say(`core ${far}, which holds a copy, makes four frames of it; its owner, core 0, has asked everybody first`);
    const before = await holding(tour, cores);
    const { cores: asked, messages } = await tour.core(0, 'cap_revoke', { domain: own, target: part });
    tour.say(`core 0 revokes: mark → ready, commit → done on ${asked} cores, ${messages} messages`);
    const after = await holding(tour, cores);
    const left = after.slice(1).reduce((sum, count) => sum + count, 0);
    tour.check(
      `before, the other cores held ${before.slice(1).reduce((sum, count) => sum + count, 0)} capabilities to it; ${left} left`,
      left === 0,
    );
    const snapshots = await Promise.all(cores.map((core) => tour.core(core, 'audit_snapshot')));
    const violations = auditCapabilities(snapshots);
    tour.check(
      `audit of ${snapshots.reduce((sum, { slots }) => sum + slots.length, 0)} capabilities on ${cores.length} cores: ${violations.length} violations`,
      violations.length === 0,
    );
  },
};

/** How many RAM and Frame capabilities each core holds. */
async function holding(tour: Tour, cores: readonly number[]): Promise<readonly number[]> {
  return Promise.all(
    cores.map(
      async (core) =>
        (await tour.core(core, 'caps')).filter(({ capability }) => /^(RAM|Frame)\[/.test(capability)).length,
    ),
  );
}
