/**
 * Which way imports may point (CONTRIBUTING.md):
 *
 *   monitor-proto ← machine ← libmk, node-kernel, skb, ui ← sim ← launcher
 *
 * (of libmk a kernel knows the border alone, libmk/src/dispatcher: what both ends of a system call must agree on)
 *
 * and that only io/ folders, main.ts files and the launcher touch Node.
 */
const PACKAGES = 'packages/';
const only = (from, ...to) => ({
  name: `${from}-imports`,
  comment: `${from} may import ${to.length === 0 ? 'no other package' : to.join(', ')}: move what both need to a package below`,
  severity: 'error',
  from: { path: `^${PACKAGES}${from}/src/` },
  to: { path: `^${PACKAGES}[^/]+/`, pathNot: `^${PACKAGES}(${[from, ...to].join('|')})/` },
});
/** A room of the launcher, and the rooms that it may look into. */
const room = (name, what, ...below) => ({
  name: `launcher-${name}-imports`,
  comment: `packages/launcher/src/${name} may import ${what}`,
  severity: 'error',
  from: { path: `^packages/launcher/src/${name}/` },
  to: { path: '^packages/launcher/src/[^/]+/', pathNot: `^packages/launcher/src/(${[name, ...below].join('|')})/` },
});
/** A room of the kernel, and those that it may not look into. */
const kernelRoom = (name, ...above) => ({
  name: `node-kernel-${name.replace('/', '-')}-imports`,
  comment: `packages/node-kernel/src/${name} lies below ${above.join(', ')}: take what it needs in the constructor`,
  severity: 'error',
  from: { path: `^packages/node-kernel/src/${name}/` },
  to: { path: `^packages/node-kernel/src/(${above.join('|')})/` },
});
const OPERATIONS = ['membership', 'capops', 'memory', 'programs', 'probes', 'rogue'].map((room) => `monitor/${room}`);
const OUTSIDE = '(/io/|[/-]main\\.ts$|^packages/launcher/|^packages/ui/src/page/)';

module.exports = {
  forbidden: [
    only('monitor-proto'),
    only('machine', 'monitor-proto'),
    only('libmk', 'monitor-proto', 'machine'),
    only('programs', 'monitor-proto', 'machine', 'libmk'),
    only('node-kernel', 'monitor-proto', 'machine', 'libmk/src/dispatcher'),
    only('skb', 'monitor-proto', 'machine'),
    only('ui', 'monitor-proto', 'machine'),
    {
      name: 'page-stays-in-the-browser',
      comment: 'what runs in the browser imports neither Node nor the page’s server; the server knows the model alone',
      severity: 'error',
      from: { path: '^packages/', pathNot: '^packages/ui/src/page/' },
      to: { path: '^packages/ui/src/page/' },
    },
    only('sim', 'monitor-proto', 'machine', 'libmk', 'node-kernel', 'skb', 'programs', 'ui/src/model', 'supervisor'),
    {
      name: 'no-node-in-pure-code',
      comment:
        'only io/ folders, main.ts files and the launcher use Node’s modules: hand the value in, or return an effect',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: OUTSIDE },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-io-in-pure-code',
      comment: 'pure code imports no io/ folder, its own or another’s; commands of a command line may',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [OUTSIDE, '^packages/sim/src/(commands/|cli\\.ts$)'] },
      to: { path: '^packages/.*/io/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-test-in-source',
      comment: 'source does not import tests or benchmarks',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '(^test/|^benchmarks/|^packages/[^/]+/test/)' },
    },
    {
      name: 'no-circles',
      comment:
        'files do not import one another in a circle, not for a type either: move what both need to a file below both',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { circular: true },
    },
    kernelRoom('capability', 'memory', 'cpu-driver', 'monitor', 'control', 'workloads', 'io'),
    kernelRoom('memory', 'cpu-driver', 'monitor', 'control', 'workloads', 'io'),
    kernelRoom('cpu-driver', ...OPERATIONS, 'monitor/agreement', 'monitor/views', 'workloads', 'io'),
    kernelRoom(
      'monitor/agreement',
      ...OPERATIONS,
      'monitor/channels',
      'monitor/knowledge',
      'monitor/views',
      'workloads',
      'io',
    ),
    kernelRoom('monitor', 'workloads', 'io'),
    room('cli', 'nothing of the rest: words of the command line know no cluster'),
    room('client', 'cli, state, boot, supervisor, tls', 'cli', 'state', 'boot', 'supervisor', 'tls'),
    room('tls', 'cli', 'cli'),
    room(
      'ui',
      'what the page’s server is made of, and the commands of mkctl that it does',
      'cli',
      'client',
      'display',
      'state',
      'boot',
      'ctl',
      'supervisor',
    ),
    room('display', 'cli, client, boot, supervisor', 'cli', 'client', 'boot', 'supervisor'),
    room('top', 'cli, client', 'cli', 'client'),
    room('doctor', 'state', 'state'),
    room('explain', 'display', 'display'),
    room('tracing', 'cli, client, state', 'cli', 'client', 'state'),
    room(
      'ctl',
      'no room of mk-launch: what both programs need lies below, in client/ or display/',
      'cli',
      'client',
      'display',
      'top',
      'tracing',
      'explain',
      'doctor',
      'state',
      'boot',
      'programs',
      'supervisor',
      'tls',
      'ui',
    ),
    {
      name: 'launcher-launch-imports',
      comment: 'launch/ imports neither tour/ nor ctl/: its program is handed their commands',
      severity: 'error',
      from: { path: '^packages/launcher/src/(launch|supervisor|boot)/' },
      to: { path: '^packages/launcher/src/(tour|ctl|bin)/' },
    },
    {
      name: 'launcher-tour-imports',
      comment: 'the tour imports nothing of mkctl: what both need lies below, in client/ or display/',
      severity: 'error',
      from: { path: '^packages/launcher/src/tour/' },
      to: { path: '^packages/launcher/src/(ctl|bin)/' },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'the module is not there: npm install it, or mend the path',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-undeclared',
      comment: 'the package is in node_modules by accident: declare it in a package.json',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@mk/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
    },
    combinedDependencies: true,
  },
};
