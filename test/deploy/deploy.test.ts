import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { NODE_VARIABLES } from '@mk/launcher/node/node-settings';

/**
 * The files shipped for Kubernetes and for monitoring, checked against the API's schema, by promtool, and against what
 * the processes serve.
 */
const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (path: string): string => readFileSync(`${root}/${path}`, 'utf8');

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

const folder = 'deploy/kubernetes';
const files = readdirSync(`${root}/${folder}`).filter(
  (name) => name.endsWith('.yaml') && name !== 'kustomization.yaml',
);
const manifests = files.flatMap((file) =>
  parseAllDocuments(text(`${folder}/${file}`)).map((document) => document.toJS() as Manifest),
);
const find = (kind: string, name: string): Manifest =>
  manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)!;

type Schema = Record<string, unknown>;
const schemas = JSON.parse(text('test/data/kubernetes-schemas.json')) as {
  readonly kinds: Readonly<Record<string, string>>;
  readonly $defs: Readonly<Record<string, Schema>>;
};

test.each(manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
  '%s is what the API takes, with no field that it does not know',
  (_name, manifest) => {
    const kind = schemas.kinds[`${manifest.apiVersion}/${manifest.kind}`]!;
    const schema = z.fromJSONSchema({ $ref: `#/$defs/${kind}`, $defs: schemas.$defs } as never);
    expect(schema.safeParse(manifest).error?.issues ?? []).toEqual([]);
  },
);

test('the schema would see a slip', () => {
  const kind = schemas.kinds['apps/v1/Deployment']!;
  const schema = z.fromJSONSchema({ $ref: `#/$defs/${kind}`, $defs: schemas.$defs } as never);
  const core = find('Deployment', 'mk-core');
  for (const spec of [{ ...core.spec, replicsa: 3 }, { ...core.spec, replicas: 'four' }, { replicas: 1 }])
    expect(schema.safeParse({ ...core, spec }).success).toBe(false);
});

test('kustomize names every manifest, and all are of its namespace', () => {
  const { resources, namespace } = parse(text(`${folder}/kustomization.yaml`)) as {
    resources: string[];
    namespace: string;
  };
  expect(resources.toSorted()).toEqual(files.toSorted());
  const others = manifests.filter(({ kind }) => kind !== 'Namespace');
  expect(others.map(({ metadata }) => metadata.namespace)).toEqual(others.map(() => namespace));
});

test('cores are found before they are ready; alive is not tied to peers; ready is to be in the cluster', () => {
  for (const name of ['mk-core', 'mk-skb']) {
    expect(find('Service', name).spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    const { spec } = find('Deployment', name).spec['template'] as { spec: { containers: Record<string, object>[] } };
    expect(spec.containers[0]).toMatchObject({
      readinessProbe: { httpGet: { path: '/healthz' } },
      livenessProbe: { tcpSocket: { port: 'mk' } },
      securityContext: { readOnlyRootFilesystem: true },
    });
  }
  expect(find('PodDisruptionBudget', 'mk-core').spec['maxUnavailable']).toBe(1);
});

test('a core says on which node it runs: cores of one node are one package', () => {
  interface Pod {
    readonly spec: { readonly containers: readonly { readonly env: readonly { readonly name: string }[] }[] };
  }
  const { spec } = find('Deployment', 'mk-core').spec['template'] as Pod;
  expect(spec.containers[0]!.env).toContainEqual({
    name: 'MK_HOST',
    valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } },
  });
  const known = new Set(Object.keys(NODE_VARIABLES));
  for (const { name } of spec.containers[0]!.env) expect(known).toContain(name);
});

test('the shipped secret is one that every process refuses', () => {
  const { stringData } = find('Secret', 'mk') as unknown as { stringData: { secret: string } };
  expect(stringData.secret).not.toMatch(/^[0-9a-f]{16,}$/i);
});

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(text('deploy/observe/grafana/dashboards/mk.json')) as {
  readonly panels: readonly Panel[];
};
const expressions = [
  ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...(parse(text('deploy/observe/alerts.yml')) as { groups: { rules: { expr: string }[] }[] }).groups.flatMap(
    ({ rules }) => rules.map(({ expr }) => expr),
  ),
];

test('dashboard and alerts ask for metrics that processes serve', () => {
  const served = new Set([...text('docs/reference/metrics.md').matchAll(/^\| `(mk_\w+)`/gm)].map(([, name]) => name!));
  const asked = new Set(expressions.flatMap((expression) => expression.match(/mk_\w+/g) ?? []));
  expect([...asked].filter((name) => !served.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
  expect(asked.size).toBeGreaterThan(10);
  expect(new Set(dashboard.panels.map(({ title }) => title)).size).toBe(dashboard.panels.length);
});

const promtool = spawnSync('promtool', ['--version']).status === 0;
if (!promtool) process.stderr.write('deploy test: no promtool; the configuration is not checked by it\n');

(promtool ? test : test.skip)(
  'Prometheus’ own tool takes the configuration, the alerts and every expression of the dashboard',
  () => {
    const config = spawnSync('promtool', ['check', 'config', `${root}/deploy/observe/prometheus.yml`], {
      encoding: 'utf8',
    });
    expect([config.status, config.stderr]).toEqual([0, '']);
    const rules = expressions.map((expr, i) => ({
      record: `mk:panel${i}`,
      expr: expr.replaceAll('$__rate_interval', '1m'),
    }));
    const place = mkdtempSync(join(tmpdir(), 'mk-rules-'));
    const file = join(place, 'dashboard.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const checked = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    rmSync(place, { recursive: true });
    expect([checked.status, checked.stderr]).toEqual([0, '']);
  },
);

(promtool ? test : test.skip)('the alerts fire for processes that vanish from DNS, and for none that leaves', () => {
  const tested = spawnSync('promtool', ['test', 'rules', `${root}/test/deploy/alerts.test.yml`], { encoding: 'utf8' });
  expect([tested.status, tested.stderr]).toEqual([0, '']);
});

test('the profile is off until it is asked for, reads what ships, and opens ports on this host alone', () => {
  const { services } = parse(text('docker-compose.yml')) as {
    services: Record<string, { profiles?: string[]; ports?: string[]; volumes?: string[] }>;
  };
  for (const name of ['prometheus', 'grafana']) {
    expect(services[name]!.profiles).toEqual(['observe']);
    expect(services[name]!.ports!.every((port) => port.startsWith('127.0.0.1:'))).toBe(true);
    for (const volume of services[name]!.volumes!)
      expect(readdirSync(`${root}/${volume.split(':')[0]!}`)).not.toEqual([]);
  }
  expect(services['core']!.profiles).toBeUndefined();
});
