import type { X509Certificate } from 'node:crypto';
import { type Access, placeOf } from '@mk/libmk/io/control-call';
import { TlsEnd } from '@mk/monitor-proto/io/tls';
import { asError } from '@mk/monitor-proto/thrown';
import { type CertificateRow, rowOf } from './certificate-desk.ts';

/** The certificates of a cluster. */
export interface ShownCertificates {
  readonly rows: readonly CertificateRow[];
  /** Processes that showed none, and why. */
  readonly silent: readonly { readonly process: string; readonly why: string }[];
}

const SHOWN_WITHIN_MS = 5000;

/** Asks every process for its certificate; one that several show takes one row. No rows at all: they speak no TLS. */
export async function shownCertificates(
  processes: readonly { readonly process: string; readonly address: string }[],
  { connections }: Access,
): Promise<ShownCertificates> {
  const silent: { process: string; why: string }[] = [];
  const holders = new Map<string, { readonly shown: X509Certificate; readonly by: string[] }>();
  const look = async ({ process, address }: (typeof processes)[number]): Promise<X509Certificate | null> => {
    try {
      return await connections.certificateAt(placeOf(address), SHOWN_WITHIN_MS);
    } catch (error) {
      silent.push({ process, why: asError(error).message });
      return null;
    }
  };
  const all = await Promise.all(processes.map(look));
  for (const [i, shown] of all.entries()) {
    if (shown === null) continue;
    const holder = holders.get(shown.fingerprint256) ?? { shown, by: [] };
    holder.by.push(processes[i]?.process ?? '');
    holders.set(shown.fingerprint256, holder);
  }
  const rows = [...holders.values()].map(({ shown, by }) => ({ ...rowOf(TlsEnd.namesOf(shown).join(' '), shown), by }));
  return { rows, silent };
}
