import { expect, test } from '@jest/globals';
import { proofOf, type Side } from '@mk/monitor-proto/handshake/proof';
import fc from 'fast-check';

const identity = fc.record({
  version: fc.nat(),
  peer: fc.nat(0xffff_ffff),
  incarnation: fc.nat(0xffff_ffff),
  cluster: fc.string({ unit: 'binary', maxLength: 256 }),
  instance: fc.string({ unit: 'binary', maxLength: 256 }),
});
const nonce = fc.uint8Array({ minLength: 16, maxLength: 16 });

test('a proof is over the JSON of both identities and both nonces, whatever characters the names have', () => {
  fc.assert(
    fc.property(
      identity,
      identity,
      nonce,
      nonce,
      fc.constantFrom<Side>('dialler', 'acceptor'),
      (dialler, acceptor, diallerNonce, acceptorNonce, side) => {
        const row = (who: typeof dialler): unknown[] => [
          who.version,
          who.cluster,
          who.peer,
          who.incarnation,
          who.instance,
        ];
        const expected = Buffer.concat([
          Buffer.from(JSON.stringify(['mk link proof', side, row(dialler), row(acceptor)])),
          diallerNonce,
          acceptorNonce,
        ]);
        const said = proofOf((_key, data) => data.slice(), new Uint8Array(), side, {
          dialler,
          acceptor,
          diallerNonce,
          acceptorNonce,
        });
        expect(Buffer.from(said).equals(expected)).toBe(true);
      },
    ),
  );
});
