import type { Mk } from '@mk/libmk/program/mk';
import type { OctopusRecord } from '@mk/libmk/octopus/octopus';

const PAUSE_NS = 50e6;
/** Longer than the knowledge base is away in any fault plan that a program should survive. */
const PATIENCE_NS = 120e9;

/** Repeats something repeatable until it succeeds: the knowledge base may be away for a while. */
export async function insist<T>(mk: Mk, what: () => Promise<T>): Promise<T> {
  const until = mk.now() + PATIENCE_NS;
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (mk.now() > until) throw error;
    }
    await mk.sleep(PAUSE_NS + mk.randomInt(PAUSE_NS));
  }
}

/** All records with that prefix, except those deleted meanwhile. */
export async function recordsOf(mk: Mk, prefix: string): Promise<readonly OctopusRecord[]> {
  const names = await insist(mk, () => mk.octopus.getNames(`r'^${prefix.replaceAll('.', '\\.')}'`));
  const records: OctopusRecord[] = [];
  for (const name of names) {
    const record = await insist(mk, () => mk.octopus.get(`'${name}'`));
    if (record !== undefined) records.push(record);
  }
  return records;
}

/** Deletes them; what cannot be reached stays. */
export async function forget(mk: Mk, prefix: string): Promise<void> {
  for (const { name } of await recordsOf(mk, prefix)) await insist(mk, () => mk.octopus.delete(`'${name}'`));
}
