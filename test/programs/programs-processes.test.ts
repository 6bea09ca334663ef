import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ClusterClient } from '@mk/launcher/client/cluster-client';
import { type DomainRow, loadProgram } from '@mk/libmk/io/domains';
import { programText } from '../../scripts/bundle-program.mjs';
import { ClusterPlace } from '../integration/running-cluster.ts';
import { CASES, fileOf } from './cases.ts';

const NAME = 'program-tests';

describe('Barrelfish’s tests as programs, on processes: the same files', () => {
  const place = new ClusterPlace();
  let cluster: ClusterClient;

  beforeAll(async () => {
    await place.boot('--cores', '5', '--name', NAME);
    process.env['MK_STATE_DIR'] = place.state;
    cluster = ClusterClient.open({ cluster: NAME });
    for (const file of new Set(CASES.map((one) => one.file)))
      await loadProgram(cluster, 0, file, await programText(fileOf(file)));
  });
  afterAll(() => place.cleanUp());

  test.each(CASES)('$name ends well and leaves no channel', async ({ file, args }) => {
    const { domain } = (await cluster.core(0, 'domain_spawn', { program: file, core: 0, args })) as {
      domain: string;
    };
    const ended = (await cluster.core(0, 'domain_wait', { domain }, { timeoutMs: 600_000 })) as DomainRow;
    expect(ended).toMatchObject({ cause: 'exited', status: 0, text: '' });
    for (let core = 0; core < 5; core += 1)
      expect(await cluster.core(core, 'channels', {})).toEqual({ channels: [], names: [], relayed: 0 });
  });
});
