import type { DomainId } from '@mk/monitor-proto/ids';
import type { Domain, Domains } from '../../cpu-driver/domains.ts';

/** Domain numbers from here on are ends of channels: capabilities sent there go to the end's dispatcher. */
export const END_ADDRESSES = 2 ** 31;

/** A channel's end as capabilities see it, with a callback for the address of each arrival. */
export interface EndOfChannel {
  readonly domain: DomainId;
  arrived(address: number): void;
}

/** The domain that takes a capability sent to this core, and accounts for it. */
export interface Receiver {
  readonly domain: Domain;
  arrived(address: number): void;
}

type EndOf = (end: number) => EndOfChannel | undefined;

/**
 * Resolves the number that a capability is sent to: a domain's cspace, or that of the dispatcher with a channel's end.
 */
export class CapabilityReceivers {
  private readonly directories: EndOf[] = [];

  constructor(private readonly domains: Domains) {}

  /** Adds a resolver for ends of channels. */
  addEnds(endOf: EndOf): void {
    this.directories.push(endOf);
  }

  find(id: number): Receiver | undefined {
    const end = id >= END_ADDRESSES ? this.endOf(id - END_ADDRESSES) : undefined;
    const domain = this.domains.get(end?.domain ?? id);
    return domain === undefined ? undefined : { domain, arrived: (address) => end?.arrived(address) };
  }

  private endOf(number: number): EndOfChannel | undefined {
    for (const directory of this.directories) {
      const end = directory(number);
      if (end !== undefined) return end;
    }
    return undefined;
  }
}
