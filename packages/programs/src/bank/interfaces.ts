import { defineInterface, message, rpc } from '@mk/libmk/interface/interface';
import { bool, choice, int, u32 } from '@mk/libmk/interface/kinds';

/** A branch of the bank: a participant of two-phase commit. It serves one request after the other. */
export const Branch = defineInterface('bank-branch', {
  /** Whether it can take part; if so, the change is recorded and its money is held. */
  prepare: rpc({ in: { tx: u32, account: u32, delta: int }, out: { yes: bool } }),
  /** The outcome; it may be repeated. */
  decide: rpc({ in: { tx: u32, commit: bool } }),
  statement: rpc({ out: { total: int, held: u32 } }),
  close: message({}),
});

/** The coordinator, for restarted branches with prepared transfers of unknown outcome. */
export const Desk = defineInterface('bank-desk', {
  outcome: rpc({ in: { tx: u32 }, out: { outcome: choice('commit', 'abort', 'pending') } }),
});

export const ACCOUNTS = 4;
export const OPENING_BALANCE = 100;

/** Names of records and services: a run is its main domain. */
export const names = {
  all: (run: string): string => `bank.${run}.`,
  prepared: (run: string, branch: number): string => `bank.${run}.p.${branch}.`,
  branch: (run: string, branch: number, life: number): string => `bank.${run}.b.${branch}.${life}`,
  desk: (run: string): string => `bank.${run}.desk`,
};
