/**
 * Barrelfish's idctest: every kind of message, over every way to the server. The first argument lists the clients'
 * cores; the server is where the program was started.
 */
import { known } from '../common/known.ts';
import { defineInterface, event, message, rpc } from '@mk/libmk/interface/interface';
import {
  bool,
  bytes,
  cap,
  choice,
  float,
  giveAwayCap,
  i32,
  int,
  list,
  optional,
  record,
  text,
  u16,
  u32,
  u8,
} from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { coresOf, errorOf, runCopies, same } from './expecting.ts';

const point = record({ x: i32, y: i32 });
export const Idc = defineInterface('idc', {
  basic: message({ number: u32, small: u8 }),
  string: message({ text: text(20_000) }),
  buffer: message({ data: bytes(60_000) }),
  structure: message({ at: point, path: list(point, 100), color: choice('red', 'green'), note: optional(text(40)) }),
  capability: message({ frame: cap, gift: giveAwayCap }),
  everything: rpc({
    in: {
      a: u8,
      b: u16,
      c: u32,
      d: i32,
      e: int,
      f: float,
      g: bool,
      h: text(100),
      i: bytes(100),
      j: list(u8, 9),
      k: optional(u8),
    },
    out: {
      a: u8,
      b: u16,
      c: u32,
      d: i32,
      e: int,
      f: float,
      g: bool,
      h: text(100),
      i: bytes(100),
      j: list(u8, 9),
      k: optional(u8),
    },
  }),
  fails: rpc({ in: { how: choice('named', 'table', 'unnamed') }, errors: ['OUT_OF_CAKE'] }),
  seen: rpc({ out: { log: list(text(80), 50) } }),
  greeted: event({ text: text(40) }),
});

const LONG = 'é–𝄞'.repeat(1_000);

export const main = program({ name: 'idctest', interfaces: [Idc] }, async (mk) => {
  if (mk.args[0] === 'client') return client(mk);
  const service = await mk.export(
    'idctest',
    Idc,
    (connection) => {
      const log: string[] = [];
      void connection.emit.greeted({ text: `core ${connection.channel.core}` });
      return {
        basic: ({ number, small }) => void log.push(`basic ${number} ${small}`),
        string: ({ text: long }) => void log.push(`string ${long.length} ${long === LONG}`),
        buffer: ({ data }) => void log.push(`buffer ${data.length} ${data.every((byte, i) => byte === i % 251)}`),
        structure: ({ at, path, color, note }) =>
          void log.push(`structure ${at.x} ${path.length} ${path.at(-1)?.y} ${color} ${note}`),
        capability: async ({ frame, gift }) => {
          const kinds = [await mk.capabilities.identify(frame), await mk.capabilities.identify(gift)];
          log.push(`capability ${kinds.map(({ type, bytes: size }) => `${type} ${size}`).join(' ')}`);
          await mk.capabilities.delete(frame);
          await mk.capabilities.delete(gift);
        },
        everything: (input) => input,
        fails: ({ how }) => {
          if (how === 'named') throw mk.error('OUT_OF_CAKE', 'sorry');
          if (how === 'table') throw mk.error('BUSY', 'later');
          throw new TypeError('a mistake of the server');
        },
        seen: () => ({ log }),
      };
    },
    { concurrency: 1 },
  );
  await runCopies(mk, 'client', coresOf(mk));
  await service.close();
  return 0;
});

async function client(mk: Mk): Promise<number> {
  const idc = await mk.bind('idctest', Idc, { timeoutNs: 20e9 });
  const greeting = await idc.$events.receive();
  same(mk, greeting, { name: 'greeted', value: { text: `core ${mk.self.core}` } }, 'the event');
  await idc.basic({ number: 0xffffffff, small: 7 });
  await idc.string({ text: LONG });
  await idc.buffer({ data: Uint8Array.from({ length: 60_000 }, (_, i) => i % 251) });
  const path = Array.from({ length: 100 }, (_, i) => ({ x: i, y: -i }));
  await idc.structure({ at: { x: -5, y: 6 }, path, color: 'green', note: null });
  const ram = await mk.capabilities.alloc(8192);
  const made = await mk.capabilities.retype(ram, 'Frame', { bytes: 4096, count: 2 });
  const [frame, gift] = [known(made[0]), known(made[1])];
  await idc.capability({ frame, gift });
  same(mk, (await mk.capabilities.identify(frame)).type, 'Frame', 'the copy that was kept');
  same(mk, await errorOf(mk, mk.capabilities.identify(gift)), 'CAPABILITY_NOT_FOUND', 'what was given away');
  const all = {
    a: 255,
    b: 65_535,
    c: 1,
    d: -1,
    e: -(2 ** 53) + 1,
    f: 0.1,
    g: true,
    h: 'ü',
    i: new Uint8Array([1]),
    j: [9, 8],
    k: 3,
  };
  const back = await idc.everything(all);
  same(mk, { ...back, i: [...back.i] }, { ...all, i: [1] }, 'everything');
  same(mk, await errorOf(mk, idc.fails({ how: 'named' })), 'OUT_OF_CAKE', 'a refusal of the interface');
  same(mk, await errorOf(mk, idc.fails({ how: 'table' })), 'BUSY', 'a refusal of the table');
  same(mk, await errorOf(mk, idc.fails({ how: 'unnamed' })), 'HANDLER_FAILED', 'a mistake of the server');
  same(mk, await errorOf(mk, idc.basic({ number: -1, small: 0 })), 'BAD_MESSAGE', 'what is not a value');
  const { log } = await idc.seen({});
  same(
    mk,
    log,
    [
      'basic 4294967295 7',
      'string 4000 true',
      'buffer 60000 true',
      'structure -5 100 -99 green null',
      'capability Frame 4096 Frame 4096',
    ],
    'what the server saw, in order',
  );
  idc.$close();
  same(mk, await errorOf(mk, idc.seen({})), 'CHANNEL_CLOSED', 'a closed channel');
  return 0;
}
