/**
 * Prometheus with the shipped configuration against a running cluster: every process is scraped, and every expression
 * of the dashboard yields data. Only the place of the processes is replaced: the containers' DNS is not here.
 */
import { afterAll, describe, expect, test } from '@jest/globals';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { ClusterPlace, freePort, until } from '../integration/running-cluster.ts';

const observe = fileURLToPath(new URL('../../deploy/observe', import.meta.url));

const isHere = spawnSync('prometheus', ['--version']).status === 0;
if (!isHere) process.stderr.write('no prometheus here (apt-get install prometheus): it does not scrape the cluster\n');

interface Config {
  readonly global: object;
  readonly scrape_configs: Record<string, unknown>[];
}
interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}
interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

(isHere ? describe : describe.skip)('Prometheus', () => {
  const place = new ClusterPlace();
  let prometheus: ChildProcess | null = null;
  let api = '';

  afterAll(async () => {
    if (prometheus !== null && prometheus.exitCode === null) {
      const ended = once(prometheus, 'exit');
      prometheus.kill('SIGKILL');
      await ended;
    }
    await place.cleanUp();
  });

  /** Starts Prometheus with its configuration pointed at the cluster. */
  async function startPrometheus(targets: readonly string[]): Promise<void> {
    const folder = join(place.state, 'prometheus');
    mkdirSync(folder);
    copyFileSync(join(observe, 'alerts.yml'), join(folder, 'alerts.yml'));
    const config = parse(readFileSync(join(observe, 'prometheus.yml'), 'utf8')) as Config;
    expect(config.scrape_configs).toHaveLength(1);
    delete config.scrape_configs[0]!['dns_sd_configs'];
    config.scrape_configs[0]!['static_configs'] = [{ targets }];
    Object.assign(config.global, { evaluation_interval: '1s' });
    const file = join(folder, 'prometheus.yml');
    writeFileSync(file, stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const options = [`--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${address}`];
    const child = spawn('prometheus', [`--config.file=${file}`, ...options], { stdio: 'ignore' });
    prometheus = child;
    api = `http://${address}/api/v1/`;
    await until('Prometheus is ready', async () => {
      if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`);
      return fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  async function asked<T>(path: string): Promise<T> {
    const { data } = (await (await fetch(api + path)).json()) as { readonly data: T };
    return data;
  }

  /** The values of an expression that are numbers. */
  async function values(expression: string): Promise<readonly Sample[]> {
    const { result } = await asked<{ readonly result: readonly Sample[] }>(
      `query?query=${encodeURIComponent(expression.replaceAll('$__rate_interval', '1m'))}`,
    );
    return result.filter(({ value: [, value] }) => Number.isFinite(Number(value)));
  }

  test('it scrapes every process, and each panel of the dashboard has data while a load runs', async () => {
    const { ready } = await place.boot('--cores', '3');
    await startPrometheus(ready.processes.map(({ address }) => address));
    await place.ask('link', '0', '1', '--delay', '2ms');
    place.start('mkctl.cjs', ['run', 'ring', '--rounds', '1000000']);
    const dashboard = JSON.parse(readFileSync(join(observe, 'grafana/dashboards/mk.json'), 'utf8')) as {
      readonly panels: readonly Panel[];
    };
    let empty = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
    await until('every panel has data', async () => {
      await place.mkctl('ping', '0', '1', '--count', '3');
      const found = await Promise.all(empty.map(async (panel) => ({ panel, samples: await values(panel.expr) })));
      empty = found.filter(({ samples }) => samples.length === 0).map(({ panel }) => panel);
      return empty.length === 0;
    });
    // A scrape that a slow host did not finish is followed by the next one.
    await until('every process is up', async () => {
      const { activeTargets } = await asked<{
        readonly activeTargets: readonly { health: string; lastError: string }[];
      }>('targets');
      return (
        activeTargets.length === 4 && activeTargets.every((target) => target.health === 'up' && target.lastError === '')
      );
    });
    // The SKB is scraped, too, but is not a core.
    const cores = dashboard.panels.find(({ title }) => title === 'Cores that answer')!.targets[0]!.expr;
    await until('three cores answer', async () => (await values(cores))[0]?.value[1] === '3');
  });

  test('a core that is gone is counted no more, and begins to alarm', async () => {
    const { address } = place.record()!.processes.find(({ name }) => name === 'core-2')!;
    await place.ask('crash', '2');
    await until('it is missed', async () => (await values('count(mk_view)'))[0]?.value[1] === '2');
    await until('its alarm', async () => {
      const { alerts } = await asked<{ readonly alerts: readonly { labels: Readonly<Record<string, string>> }[] }>(
        'alerts',
      );
      return alerts.some(({ labels }) => labels['alertname'] === 'ProcessGone' && labels['instance'] === address);
    });
  });
});
