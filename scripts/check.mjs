// `npm run check`: the gate. Runs every step even after a failure, then prints how long each took and what to do.
//     npm run check -- --only types,lint     npm run check -- --skip tests
import { spawnSync } from 'node:child_process';
import { install, root } from './install.mjs';

const bin = (name, ...args) => ['node', [`node_modules/${name}`, ...args]];

/** Name → the command, and what to do when it fails. */
const STEPS = {
  types: { run: bin('typescript/bin/tsc', '-p', 'tsconfig.json'), advice: 'mend what tsc names above' },
  page: {
    run: bin('typescript/bin/tsc', '-b', 'packages/ui', 'test/page'),
    advice: 'mend what tsc names above: the types of the page, which has a browser’s globals',
  },
  lint: {
    run: bin('oxlint/bin/oxlint', '--deny-warnings', '.'),
    advice: 'mend what oxlint names; `npx oxlint --fix .` does the simple ones. Rules: .oxlintrc.json',
  },
  imports: {
    run: bin('dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.cjs', 'packages', 'test'),
    advice: 'an import points the wrong way; the rule’s comment in .dependency-cruiser.cjs says where the code belongs',
  },
  format: {
    run: bin('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'),
    advice: 'run `npm run format` and commit what it writes',
  },
  style: {
    run: ['node', ['scripts/check-style.mjs']],
    advice: 'each line above names the rule; the reasons are in CONTRIBUTING.md',
  },
  tables: {
    run: ['node', ['scripts/check-tables.mjs']],
    advice: 'use the row, or remove it; the number of a message or an error that has gone is not used again',
  },
  casts: {
    run: ['node', ['scripts/count-casts.mjs']],
    advice:
      'narrow the type instead of asserting it; where that cannot be, raise the number in scripts/casts.json by hand and say why in the commit',
  },
  docs: { run: ['node', ['scripts/docs.mjs', '--check']], advice: 'run `npm run docs` and commit what it writes' },
  tests: {
    run: ['node', ['scripts/test.mjs']],
    advice: 'run one file with `npm test -- PATTERN`; docs/TESTING.md says how to repeat a seed',
  },
};

function chosenSteps(argv) {
  const names = Object.keys(STEPS);
  const chosen = new Set(names);
  for (let i = 0; i < argv.length; i += 2) {
    const [option, list = ''] = [argv[i], argv[i + 1]];
    const listed = list.split(',').filter(Boolean);
    const wrong = listed.find((name) => !names.includes(name));
    if (!['--only', '--skip'].includes(option) || listed.length === 0 || wrong) {
      process.stderr.write(
        `check: ${wrong ? `no step ${wrong}` : 'usage: check.mjs [--only a,b] [--skip a,b]'}; steps: ${names.join(', ')}\n`,
      );
      process.exit(2);
    }
    for (const name of names) if (listed.includes(name) === (option === '--skip')) chosen.delete(name);
  }
  return [...chosen];
}

const steps = chosenSteps(process.argv.slice(2));
install();
const results = steps.map((name) => {
  const [command, args] = STEPS[name].run;
  process.stdout.write(`\n── ${name}: ${command} ${args.join(' ')}\n`);
  const start = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  return { name, ok: status === 0, seconds: (performance.now() - start) / 1000 };
});
process.stdout.write('\n');
for (const { name, ok, seconds } of results)
  process.stdout.write(
    `${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(8)} ${seconds.toFixed(1).padStart(7)} s${ok ? '' : `   → ${STEPS[name].advice}`}\n`,
  );
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
