import type { Mk } from '@mk/libmk/program/mk';
import { endWithParent } from '../common/parent.ts';
import { names, Replica } from './interfaces.ts';

/**
 * A replica in memory. The version of a value is its writer's token. A token lower than one seen for the key is
 * refused: its holder has lost the lock, knowing it or not.
 */
export async function replica(mk: Mk): Promise<number> {
  const [, run = '', index = '0'] = mk.args;
  endWithParent(mk, run);
  const values = new Map<string, { value: number; version: number }>();
  const tokens = new Map<string, number>();
  const over = mk.threads.semaphore(0, 'the end');
  const fence = (key: string, token: number): void => {
    const seen = tokens.get(key) ?? 0;
    if (token < seen) throw mk.error('FENCED', `${key}: token ${token} is older than ${seen}`);
    tokens.set(key, token);
  };
  mk.always('versions are tokens that were seen', () =>
    [...values].every(([key, { version }]) => version <= (tokens.get(key) ?? 0)),
  );
  const service = await mk.export(names.replica(run, Number(index)), Replica, {
    read({ key, token }) {
      fence(key, token);
      return values.get(key) ?? { value: 0, version: 0 };
    },
    write({ key, value, token }) {
      fence(key, token);
      values.set(key, { value, version: token });
      return {};
    },
    close: () => over.post(),
  });
  await over.wait();
  await service.close();
  return 0;
}
