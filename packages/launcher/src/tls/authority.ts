import 'reflect-metadata'; // the library below requires it
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/*
 * The authority of one cluster: issues the certificates by which its processes recognise one another. P-256, one level,
 * no intermediate. Loaded only where certificates are made, because the library is large.
 */

/** A certificate and its key, in PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
/** Hosts' clocks differ, so a certificate is valid from a little before it was made. */
const CLOCK_SLACK_MS = 5 * 60_000;

export class Authority {
  private constructor(
    private readonly certificate: X509Certificate,
    private readonly signingKey: webcrypto.CryptoKey,
  ) {
    this.ca = `${certificate.toString('pem')}\n`;
  }

  /** The authority's certificate, in PEM. */
  readonly ca: string;

  /** Makes an authority with a certificate that is valid for so many days. */
  static async create(cluster: string, days: number): Promise<Authority> {
    cryptoProvider.set(webcrypto);
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name: [{ CN: [`mk cluster ${cluster}`] }],
      ...validity(days),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new Authority(certificate, keys.privateKey);
  }

  /** Restores an authority from its certificate and key in PEM. */
  static async load(ca: string, key: string): Promise<Authority> {
    cryptoProvider.set(webcrypto);
    const der = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
    const signing = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
    return new Authority(new X509Certificate(ca), signing);
  }

  /** Its own key, in PEM: whoever has it can issue certificates. */
  key(): Promise<string> {
    return pem(this.signingKey);
  }

  /**
   * A certificate for these names: `core-3`, `core-*`, `skb`, `launcher`, `client`. Days may be a fraction, or
   * negative.
   */
  async issue(names: readonly string[], days: number): Promise<Issued> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: [{ CN: [names.join(' ').slice(0, 64)] }],
      issuer: this.certificate.subject,
      ...validity(days),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      ],
    });
    return { cert: `${certificate.toString('pem')}\n`, key: await pem(keys.privateKey) };
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** Positive, as X.509 requires. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes.readUInt8(0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function validity(days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = new Date().getTime();
  const notAfter = new Date(now + days * DAY_MS);
  return { notBefore: new Date(Math.min(now, notAfter.getTime()) - CLOCK_SLACK_MS), notAfter };
}

async function pem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}
