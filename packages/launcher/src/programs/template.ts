import { join } from 'node:path';

/** Places outside a new program's folder that its files refer to. */
export interface TemplatePlaces {
  /** This project, which has `mk-launch`. */
  readonly checkout: string;
  /** The file name of libmk's package in the folder's `vendor`. */
  readonly libmk: string;
}

/** The texts of a new program, by their paths in its folder. */
export function templateFiles(name: string, { checkout, libmk }: TemplatePlaces): Readonly<Record<string, string>> {
  const command = JSON.stringify(join(checkout, 'dist', 'mk-launch.cjs'));
  return {
    'package.json': json({
      name,
      version: '0.1.0',
      private: true,
      type: 'module',
      scripts: {
        start: `node ${command} --cores 4 run ./${name}.ts`,
        sim: `node ${command} sim run ./${name}.ts --cores 4`,
        test: 'node --test',
        types: 'npx -p typescript tsc -p .',
      },
      dependencies: { '@mk/libmk': `file:vendor/${libmk}` },
    }),
    'tsconfig.json': json({
      compilerOptions: {
        target: 'es2022',
        module: 'esnext',
        moduleResolution: 'bundler',
        allowImportingTsExtensions: true,
        noEmit: true,
        strict: true,
        lib: ['es2023'],
        types: [],
      },
      include: [`${name}.ts`],
    }),
    [`${name}.ts`]: PROGRAM.replaceAll('NAME', name),
    [`${name}.test.js`]: TEST.replaceAll('NAME', name).replace('COMMAND', () => command),
    'attach.js': ATTACH.replaceAll('NAME', name),
    '.gitignore': 'node_modules/\n',
    'README.md': README.replaceAll('NAME', name),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const PROGRAM = `import { defineInterface, program, rpc, u32 } from '@mk/libmk/program';

const PingPong = defineInterface('pingpong', { ping: rpc({ in: { n: u32 }, out: { n: u32 } }) });
const BALLS = 10;

/** Plays ping-pong between this core and the next one that the run may use. */
export const main = program({ name: 'NAME', interfaces: [PingPong] }, async (mk) => {
  if (mk.args[0] !== 'client') {
    await mk.export('NAME', PingPong, { ping: ({ n }) => ({ n: n + 1 }) });
    const cores = (mk.env['CORES'] ?? '0').split(',').map(Number);
    const client = await mk.processes.spawn(null, { core: cores[1] ?? cores[0]!, args: ['client'] });
    return (await client.wait()).status;
  }
  const server = await mk.bind('NAME', PingPong);
  let n = 0;
  mk.always('no ball too many', () => n <= BALLS);
  while (n < BALLS) ({ n } = await server.ping({ n }));
  mk.console.log(\`\${n} balls played\`);
  return 0;
});
`;

const TEST = `import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const mkLaunch = process.env.MK_LAUNCH ?? COMMAND;

/** Runs the program on virtual time: the same seed, the same run. */
function sim(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mkLaunch, 'sim', 'run', './NAME.ts', ...args, '--json'], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return { status, ...JSON.parse(stdout) };
}

test('plays in five seeds, each twice with the same trace', () => {
  const { status, failed, runs } = sim('--seeds', '5');
  assert.deepEqual({ status, failed }, { status: 0, failed: [] });
  for (const { output } of runs) assert.equal(output.at(-1).text, '10 balls played');
});
`;

const ATTACH = `// A running cluster from an ordinary Node process: node attach.js [CLUSTER]
import { connect } from '@mk/libmk';

const mk = await connect(process.argv[2] ?? {});
const ring = await mk.spawn('ring', { args: ['--rounds', '10'] });
const { cause, status } = await ring.wait();
console.log(\`ring \${ring.name} on \${mk.name}: \${cause}\`);
await mk.close();
process.exitCode = status;
`;

const README = `# NAME

A program for mk. It sees its machine through \`mk\` and nothing else; the same file runs on processes and on virtual time.

    npm start                    # boots four cores, runs NAME.ts, shuts down
    npm run sim -- --seed 7      # the same file on virtual time: same seed, same trace
    npm test                     # five seeds, each twice

These need nothing installed here. \`npm install\` unpacks libmk from \`vendor/\` (it asks no registry): types for your editor
(\`npm run types\` checks them), and \`connect\`, by which an ordinary Node process reaches a running cluster (\`node attach.js\`).

Faults: \`npm run sim -- --nemesis --seeds 20\`, or \`--plan faults.yaml\`. A seed that fails prints the command that repeats it.
`;
