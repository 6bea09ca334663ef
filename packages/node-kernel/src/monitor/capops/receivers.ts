import type { DomainId } from '@mk/monitor-proto/ids';
import type { Domain, Domains } from '../../cpu-driver/domains.ts';

/** Numbers of domains from here on are ends of channels: what is sent there goes to the end's dispatcher. */
export const END_ADDRESSES = 2 ** 31;

/** An end of a channel as capabilities see it; told where each lies that came for it. */
export interface EndOfChannel {
  readonly domain: DomainId;
  arrived(address: number): void;
}

/** Who takes a capability that is sent to this core, and who keeps account of it. */
export interface Receiver {
  readonly domain: Domain;
  arrived(address: number): void;
}

type EndOf = (end: number) => EndOfChannel | undefined;

/** Whose cspace a number names that a capability is sent to: a domain's, or that of the dispatcher with an end of a channel. */
export class CapabilityReceivers {
  private readonly directories: EndOf[] = [];

  constructor(private readonly domains: Domains) {}

  /** Adds whoever knows ends of channels by number. */
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
