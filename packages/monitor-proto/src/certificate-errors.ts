/** Why a link or a request over TLS was refused: rows of ERRORS. */
export const CERTIFICATE_ERRORS = {
  TLS_REQUIRED: { code: 320, definite: true, doc: 'The peer does not speak TLS, and this end speaks nothing else.' },
  CERTIFICATE_MISSING: { code: 321, definite: true, doc: 'The peer showed no certificate.' },
  CERTIFICATE_EXPIRED: { code: 322, definite: true, doc: 'The peer’s certificate is past its time, or not valid yet.' },
  CERTIFICATE_FOREIGN: {
    code: 323,
    definite: true,
    doc: 'The peer’s certificate was not issued by the cluster’s authority.',
  },
  CERTIFICATE_REVOKED: { code: 324, definite: true, doc: 'The peer’s certificate is on the list of revoked ones.' },
  WRONG_CERTIFICATE: {
    code: 325,
    definite: true,
    doc: 'The peer’s certificate is not for the peer that it claims to be.',
  },
} as const;

export type CertificateError = keyof typeof CERTIFICATE_ERRORS;

/** What a host reports of a link that a certificate ended: the error, the reason, and whether this end refused. */
export interface CertificateFault {
  readonly error: CertificateError;
  readonly text: string;
  readonly ours: boolean;
}

const REFUSED_BY_PEER = 'refused: ';

/** A fault as the reason of a link's end. */
export function reasonOf({ error, text, ours }: CertificateFault): string {
  return `${ours ? '' : REFUSED_BY_PEER}${error}: ${text}`;
}

/** The fault that a link's end names; null: it ended for another reason. */
export function faultInReason(reason: string): CertificateFault | null {
  const theirs = reason.startsWith(REFUSED_BY_PEER);
  const [, error = '', text = ''] =
    /^([A-Z_]+): (.*)$/s.exec(theirs ? reason.slice(REFUSED_BY_PEER.length) : reason) ?? [];
  const named = CERTIFICATE_ERROR_NAMES.find((name) => name === error);
  return named === undefined ? null : { error: named, text, ours: !theirs };
}

/** Retrying cannot help: a peer whose first link is refused with one of these gives up. */
export const CERTIFICATE_ERROR_NAMES: readonly CertificateError[] = [
  'TLS_REQUIRED',
  'CERTIFICATE_MISSING',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_FOREIGN',
  'CERTIFICATE_REVOKED',
  'WRONG_CERTIFICATE',
];
