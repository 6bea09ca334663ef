import { join } from 'node:path';

/** The files of a new program, by their paths. `checkout`: where this project is, for types and commands. */
export function templateFiles(name: string, checkout: string): Readonly<Record<string, string>> {
  const command = JSON.stringify(join(checkout, 'dist', 'mk-launch.cjs'));
  return {
    'package.json': `${JSON.stringify(
      {
        name,
        version: '0.1.0',
        private: true,
        type: 'module',
        scripts: {
          start: `node ${command} --cores 4 run ./${name}.ts`,
          sim: `node ${command} sim run ./${name}.ts --cores 4`,
          test: 'node --test',
        },
      },
      null,
      2,
    )}\n`,
    'tsconfig.json': `${JSON.stringify(
      {
        compilerOptions: {
          target: 'es2022',
          module: 'esnext',
          moduleResolution: 'bundler',
          allowImportingTsExtensions: true,
          noEmit: true,
          strict: true,
          skipLibCheck: true,
          lib: ['es2023', 'dom'],
          types: [],
          paths: Object.fromEntries(
            ['libmk', 'monitor-proto', 'machine'].map((part) => [
              `@mk/${part}/*`,
              [`${join(checkout, 'packages', part, 'src')}/*.ts`],
            ]),
          ),
        },
        include: [`${name}.ts`],
      },
      null,
      2,
    )}\n`,
    [`${name}.ts`]: PROGRAM.replaceAll('NAME', name),
    [`${name}.test.js`]: TEST.replaceAll('NAME', name).replace('COMMAND', () => command),
    'README.md': README.replaceAll('NAME', name),
  };
}

const PROGRAM = `import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { u32 } from '@mk/libmk/interface/kinds';
import { program } from '@mk/libmk/program/program';

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

const mkLaunch = COMMAND;

/** Runs the program on virtual time: the same seed, the same run. */
function sim(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mkLaunch, 'sim', 'run', './NAME.ts', ...args, '--json'], {
    cwd: import.meta.dirname ?? process.cwd(),
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

const README = `# NAME

A program for mk. It sees its machine through \`mk\` and nothing else; the same file runs on processes and on virtual time.

    npm start                    # boots four cores, runs NAME.ts, shuts down
    npm run sim -- --seed 7      # the same file on virtual time: same seed, same trace
    npm test                     # five seeds, each twice

Faults: \`npm run sim -- --nemesis --seeds 20\`, or \`--plan faults.yaml\`. A seed that fails prints the command that repeats it.
`;
