/*
 * The transport contract (T1–T3 of monitor-proto/io/transport.ts) as a suite for any transport: the simulated network
 * and the WebSocket one both pass it (style rule 19). A factory makes two endpoints that can reach one another.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

export type TransportEvent =
  | { readonly type: 'link_up'; readonly link: number; readonly first: Uint8Array | null }
  | { readonly type: 'link_down'; readonly link: number; readonly reason: string }
  | { readonly type: 'frame'; readonly link: number; readonly frame: Uint8Array };

/** One end, as the suite uses it. */
export interface TransportEnd {
  /** The address at which others reach this end. */
  readonly address: string;
  /** All events of this end, in order. */
  readonly events: TransportEvent[];
  /** Opens a link under an odd id chosen by the caller, with or without a first frame. */
  open(link: number, address: string, first?: Uint8Array): void;
  /** Whether a link opened by this end carries frames yet. */
  isUp(link: number): boolean;
  send(link: number, frame: Uint8Array): void;
  close(link: number, reason: string): void;
  /** Breaks the link without notice. */
  reset(link: number): void;
}

export interface TransportPair {
  readonly a: TransportEnd;
  readonly b: TransportEnd;
  /** An address where nobody listens. */
  readonly nowhere: string;
  /** Runs until the condition holds; false if it never does. */
  until(condition: () => boolean): Promise<boolean>;
  /** Runs everything still under way. */
  settle(): Promise<void>;
  dispose(): Promise<void>;
}

export type TransportFactory = () => Promise<TransportPair>;

const LARGE = 1 << 20;

/** Declares the suite for one transport. */
export function transportSuite(name: string, make: TransportFactory): void {
  describe(`the transport contract: ${name}`, () => {
    let pair: TransportPair;
    beforeEach(async () => {
      pair = await make();
    });
    afterEach(async () => {
      await pair.dispose();
    });

    /** Opens a link from a to b; the ids at both ends. */
    const connect = async (link = 1): Promise<readonly [number, number]> => {
      const before = ups(pair.b).length;
      pair.a.open(link, pair.b.address);
      expect(await pair.until(() => pair.a.isUp(link) && ups(pair.b).length > before)).toBe(true);
      return [link, ups(pair.b).at(-1)!];
    };

    test('T2 link_up comes once, to the end that did not open the link, under an even id', async () => {
      const [, accepted] = await connect();
      await pair.settle();
      expect(pair.a.events).toEqual([]);
      expect(pair.b.events).toEqual([{ type: 'link_up', link: accepted, first: null }]);
      expect(accepted % 2).toBe(0);
    });

    test('T2 the first frame goes with the opening, unaltered, and what is sent later comes after it', async () => {
      const first = Uint8Array.from({ length: 2_000 }, (_, i) => (i * 7) & 0xff);
      pair.a.open(1, pair.b.address, first);
      expect(await pair.until(() => pair.a.isUp(1) && ups(pair.b).length === 1)).toBe(true);
      const [accepted] = ups(pair.b);
      pair.a.send(1, Uint8Array.of(1));
      pair.b.send(accepted!, Uint8Array.of(2));
      expect(await pair.until(() => frames(pair.b, accepted!).length === 1 && frames(pair.a, 1).length === 1)).toBe(
        true,
      );
      const [up, ...others] = pair.b.events;
      expect(hex((up as { readonly first: Uint8Array }).first)).toBe(hex(first));
      expect(others.map((event) => event.type)).toEqual(['frame']);
    });

    test('T1 frames arrive whole, unaltered and in order, both ways', async () => {
      const [link, accepted] = await connect();
      const sent = Array.from({ length: 200 }, (_, i) =>
        Uint8Array.from({ length: i }, (_unused, at) => (at * 7 + i) & 0xff),
      );
      for (const frame of sent) {
        pair.a.send(link, frame);
        pair.b.send(accepted, frame);
      }
      expect(
        await pair.until(() => frames(pair.a, link).length === 200 && frames(pair.b, accepted).length === 200),
      ).toBe(true);
      expect(frames(pair.b, accepted).map(hex)).toEqual(sent.map(hex));
      expect(frames(pair.a, link).map(hex)).toEqual(sent.map(hex));
    });

    test('T1 a frame of the largest size arrives whole', async () => {
      const [link, accepted] = await connect();
      const frame = Uint8Array.from({ length: LARGE }, (_, i) => (i * 31) & 0xff);
      pair.a.send(link, frame);
      expect(await pair.until(() => frames(pair.b, accepted).length === 1)).toBe(true);
      expect(Buffer.compare(frames(pair.b, accepted)[0]!, frame)).toBe(0);
    });

    test('T2 no frame comes before link_up or after link_down', async () => {
      const [link, accepted] = await connect();
      for (let i = 0; i < 50; i++) pair.b.send(accepted, Uint8Array.of(i));
      pair.b.close(accepted, 'enough');
      for (let i = 0; i < 50; i++) pair.b.send(accepted, Uint8Array.of(i));
      expect(await pair.until(() => downs(pair.a, link).length === 1)).toBe(true);
      await pair.settle();
      const told = pair.a.events.filter((event) => event.link === link).map((event) => event.type);
      expect(told.lastIndexOf('link_down')).toBe(told.length - 1);
      expect(pair.b.events.findIndex((event) => event.link === accepted)).toBe(
        pair.b.events.findIndex((event) => event.type === 'link_up' && event.link === accepted),
      );
    });

    test('T3 what was sent before close arrives, what is sent after it does not, and the reason comes through', async () => {
      const [link, accepted] = await connect();
      for (let i = 0; i < 100; i++) pair.a.send(link, Uint8Array.of(i));
      pair.a.close(link, 'WRONG_SECRET');
      pair.a.send(link, Uint8Array.of(255));
      expect(await pair.until(() => downs(pair.b, accepted).length === 1)).toBe(true);
      await pair.settle();
      expect(frames(pair.b, accepted).map((frame) => frame[0])).toEqual(Array.from({ length: 100 }, (_, i) => i));
      expect(downs(pair.b, accepted)).toEqual(['WRONG_SECRET']);
    });

    test('T2 and T3 the end that closes hears nothing more', async () => {
      const [link, accepted] = await connect();
      pair.a.close(link, 'done');
      pair.b.send(accepted, Uint8Array.of(1));
      expect(await pair.until(() => downs(pair.b, accepted).length === 1)).toBe(true);
      await pair.settle();
      expect(downs(pair.a, link)).toEqual([]);
      expect(frames(pair.a, link)).toEqual([]);
    });

    test('closing twice and sending on what is closed or unknown does nothing', async () => {
      const [link, accepted] = await connect();
      pair.a.close(link, 'once');
      pair.a.close(link, 'twice');
      pair.a.send(link, Uint8Array.of(1));
      pair.a.send(77, Uint8Array.of(1));
      pair.a.close(77, 'never was');
      expect(await pair.until(() => downs(pair.b, accepted).length === 1)).toBe(true);
      await pair.settle();
      expect(downs(pair.b, accepted)).toEqual(['once']);
    });

    test('T2 a reset is told once at both ends, with a reason', async () => {
      const [link, accepted] = await connect();
      pair.a.reset(link);
      expect(await pair.until(() => downs(pair.a, link).length === 1 && downs(pair.b, accepted).length === 1)).toBe(
        true,
      );
      await pair.settle();
      expect(downs(pair.a, link)).toHaveLength(1);
      expect(downs(pair.b, accepted)).toHaveLength(1);
      expect(downs(pair.b, accepted)[0]).not.toBe('');
    });

    test('T2 a link that cannot be opened comes down once and never up', async () => {
      pair.a.open(1, pair.nowhere);
      expect(await pair.until(() => downs(pair.a, 1).length === 1)).toBe(true);
      await pair.settle();
      expect(ups(pair.a)).toEqual([]);
      expect(downs(pair.a, 1)).toHaveLength(1);
      expect(downs(pair.a, 1)[0]).toMatch(/ECONNREFUSED|ENOENT|refused/i);
    });

    test('a link that is closed while it opens says nothing more', async () => {
      pair.a.open(1, pair.b.address);
      pair.a.close(1, 'changed my mind');
      await pair.settle();
      expect(pair.a.events).toEqual([]);
      for (const link of ups(pair.b)) expect(downs(pair.b, link)).toHaveLength(1);
    });

    test('links are apart: what one carries or suffers does not touch the other', async () => {
      const [first, firstAccepted] = await connect(1);
      const [second, secondAccepted] = await connect(3);
      pair.a.send(first, Uint8Array.of(1));
      pair.a.send(second, Uint8Array.of(2));
      pair.a.reset(first);
      pair.a.send(second, Uint8Array.of(3));
      expect(
        await pair.until(
          () => frames(pair.b, secondAccepted).length === 2 && downs(pair.b, firstAccepted).length === 1,
        ),
      ).toBe(true);
      expect(frames(pair.b, secondAccepted).map((frame) => frame[0])).toEqual([2, 3]);
      expect(downs(pair.b, secondAccepted)).toEqual([]);
    });

    test('both ends may open a link to the other at the same time', async () => {
      pair.a.open(1, pair.b.address);
      pair.b.open(1, pair.a.address);
      expect(await pair.until(() => ups(pair.a).length === 1 && ups(pair.b).length === 1)).toBe(true);
    });

    test('links in a row: each is opened, used and closed', async () => {
      for (let link = 1; link < 40; link += 2) {
        const [, accepted] = await connect(link);
        pair.a.send(link, Uint8Array.of(link));
        pair.a.close(link, `end of ${link}`);
        expect(await pair.until(() => downs(pair.b, accepted).length === 1)).toBe(true);
        expect(frames(pair.b, accepted).map((frame) => frame[0])).toEqual([link]);
      }
    });
  });
}

function ups(end: TransportEnd): number[] {
  return end.events.flatMap((event) => (event.type === 'link_up' ? [event.link] : []));
}

function downs(end: TransportEnd, link: number): string[] {
  return end.events.flatMap((event) => (event.type === 'link_down' && event.link === link ? [event.reason] : []));
}

function frames(end: TransportEnd, link: number): Uint8Array[] {
  return end.events.flatMap((event) => (event.type === 'frame' && event.link === link ? [event.frame] : []));
}

function hex(frame: Uint8Array): string {
  return Buffer.from(frame).toString('hex');
}
