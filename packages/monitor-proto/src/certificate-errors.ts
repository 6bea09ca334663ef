/** Why a link or a request was refused over TLS: rows of ERRORS. */
export const CERTIFICATE_ERRORS = {
  TLS_REQUIRED: { code: 320, definite: true, doc: 'The peer does not speak TLS, which this end requires.' },
  CERTIFICATE_MISSING: { code: 321, definite: true, doc: 'The peer showed no certificate.' },
  CERTIFICATE_EXPIRED: { code: 322, definite: true, doc: 'The peer’s certificate has expired, or is not valid yet.' },
  CERTIFICATE_FOREIGN: {
    code: 323,
    definite: true,
    doc: 'The peer’s certificate was not issued by the cluster’s authority.',
  },
  CERTIFICATE_REVOKED: { code: 324, definite: true, doc: 'The peer’s certificate has been revoked.' },
  WRONG_CERTIFICATE: {
    code: 325,
    definite: true,
    doc: 'The peer’s certificate does not let it be the peer that it claims to be.',
  },
} as const;

export type CertificateError = keyof typeof CERTIFICATE_ERRORS;

/** A certificate fault that ended a link: the error, the reason, and which end refused. */
export interface CertificateFault {
  readonly error: CertificateError;
  readonly text: string;
  readonly ours: boolean;
}

const REFUSED_BY_PEER = 'refused: ';

/** Encodes a fault as the reason of a link's end. */
export function reasonOf({ error, text, ours }: CertificateFault): string {
  return `${ours ? '' : REFUSED_BY_PEER}${error}: ${text}`;
}

/** Decodes the fault from the reason of a link's end; null when the link ended for another reason. */
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
