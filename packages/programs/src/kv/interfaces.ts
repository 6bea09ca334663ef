import { defineInterface, message, rpc } from '@mk/libmk/interface/interface';
import { bool, int, text, u32 } from '@mk/libmk/interface/kinds';

const KEY_BYTES = 64;

/** A replica: it accepts writes whose fencing token is not lower than any it has seen. */
export const Replica = defineInterface('kv-replica', {
  read: rpc({ in: { key: text(KEY_BYTES), token: int }, out: { value: int, version: int }, errors: ['FENCED'] }),
  write: rpc({ in: { key: text(KEY_BYTES), value: int, token: int }, errors: ['FENCED'] }),
  close: message({}),
});

/** Receives the clients' reports. */
export const Report = defineInterface('kv-report', {
  /** `acknowledged` increments certainly happened, at most `attempted`. */
  done: rpc({ in: { client: u32, acknowledged: u32, attempted: u32 }, out: { heard: bool } }),
});

export const KEYS = ['apples', 'pears'] as const;

export const names = {
  all: (run: string): string => `kv.${run}.`,
  lock: (run: string, key: string): string => `kv.${run}.${key}`,
  replica: (run: string, index: number): string => `kv.${run}.r.${index}`,
  report: (run: string): string => `kv.${run}.report`,
};
