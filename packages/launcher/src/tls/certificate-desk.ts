import { X509Certificate } from 'node:crypto';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { CommandError } from '../cli/usage-error.ts';
import type { Authority } from './authority.ts';
import type { CredentialPlace } from '@mk/libmk/io/credential-files';
import { readCredentials } from './read-credentials.ts';

/** The source of a cluster's certificates: an authority that lives as long as its supervisor, or files. Plain JSON. */
export type TlsPlan =
  | {
      readonly kind: 'auto';
      readonly revoked?: string;
      /** The authority of the supervisor that this one succeeds, in PEM; absent: a new one is made. */
      readonly authority?: { readonly ca: string; readonly key: string };
    }
  | ({ readonly kind: 'files' } & CredentialPlace);

/** A cluster with `--tls auto` is expected to end, or to have its processes restarted, before that. */
const AUTO_DAYS = 365;

/** A certificate as `mkctl certs` shows it. */
export interface CertificateRow {
  readonly name: string;
  readonly serial: string;
  readonly validTo: string;
  /** SHA-256. */
  readonly fingerprint: string;
  /** The processes that show it, if nobody recorded whom it was issued to. */
  readonly by?: readonly string[];
}

export function rowOf(name: string, { serialNumber, validTo, fingerprint256 }: X509Certificate): CertificateRow {
  return { name, serial: serialNumber.toLowerCase(), validTo, fingerprint: fingerprint256 };
}

/** Issues the certificates of one cluster's processes, each before its process starts. */
export class CertificateDesk {
  private readonly prepared = new Map<string, TlsSettings>();
  private authority: Promise<Authority> | null = null;

  constructor(
    private readonly plan: TlsPlan,
    private readonly cluster: string,
  ) {}

  /** Makes sure that each of these (`skb`, `core-3`, `launcher`, `client`) has credentials; existing ones stay. */
  async prepare(names: readonly string[]): Promise<void> {
    for (const name of names) if (!this.prepared.has(name)) this.prepared.set(name, await this.make(name));
  }

  /** Gives the next process of that name a new certificate, without the old one's faults. */
  async renew(name: string): Promise<void> {
    this.prepared.set(name, await this.make(name));
  }

  has(name: string): boolean {
    return this.prepared.has(name);
  }

  /** The issued certificates, for people: one is revoked by its serial number. */
  list(): readonly CertificateRow[] {
    return [...this.prepared].map(([name, { cert }]) => rowOf(name, new X509Certificate(cert)));
  }

  of(name: string): TlsSettings {
    const settings = this.prepared.get(name);
    if (settings === undefined) throw new CommandError(`no certificate was prepared for ${name}`);
    return settings;
  }

  /** What a successor needs to issue certificates of the same authority. */
  async planOfSuccessor(): Promise<TlsPlan> {
    const authority = await this.authority;
    if (this.plan.kind === 'files' || authority === null) return this.plan;
    return { ...this.plan, authority: { ca: authority.ca, key: await authority.key() } };
  }

  private async make(name: string): Promise<TlsSettings> {
    const { plan } = this;
    if (plan.kind === 'files') return readCredentials(plan, name.startsWith('core-') ? [name, 'core'] : [name]);
    this.authority ??= import('./authority.ts').then(({ Authority }) =>
      plan.authority === undefined
        ? Authority.create(this.cluster, AUTO_DAYS)
        : Authority.load(plan.authority.ca, plan.authority.key),
    );
    const authority = await this.authority;
    const issued = await authority.issue([name], AUTO_DAYS);
    const { revoked } = plan;
    return { ca: authority.ca, ...issued, ...(revoked === undefined ? {} : { revoked }) };
  }
}
