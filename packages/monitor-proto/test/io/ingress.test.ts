import { expect, test } from '@jest/globals';
import { nowNs } from '@mk/monitor-proto/io/clock';
import { Ingress } from '@mk/monitor-proto/io/ingress';

test('what came is taken in order at its time; the end of a link comes behind its frames, a closed one is silent', async () => {
  const ingress = new Ingress(nowNs);
  const taken: string[] = [];
  const begun = nowNs();
  const early: string[] = [];
  await new Promise<void>((resolve) => {
    const take = (name: string, dueNs: number) => (): void => {
      taken.push(name);
      if (nowNs() < dueNs) early.push(name);
    };
    for (const [i, name] of ['a1', 'b2', 'a3'].entries()) {
      const dueNs = begun + (i + 1) * 2e6;
      ingress.hold(name.startsWith('a') ? 1 : 2, dueNs, take(name, dueNs));
    }
    ingress.behind(1, () => taken.push('end of a'));
    ingress.behind(3, () => taken.push('end of c'));
    ingress.forget(2);
    ingress.hold(4, begun + 7e6, resolve);
  });
  expect({ taken, early, held: ingress.held }).toEqual({
    taken: ['end of c', 'a1', 'a3', 'end of a'],
    early: [],
    held: 0,
  });
  ingress.close();
});
