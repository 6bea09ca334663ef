import { wholeNumber } from '../cli/values.ts';
import { judge } from '../doctor/checks.ts';
import { hostFacts } from '../doctor/host-facts.ts';
import { type CtlCommand, required } from './context.ts';

export const DOCTOR: CtlCommand = {
  command: 'doctor',
  describe: 'whether this host can run a cluster: Node, limits, ports, memory, disk, engine, clusters left behind',
  examples: [
    ['$0 doctor', 'what is wrong, and what to do about it; exit 1 when something must be done'],
    ['$0 doctor --cores 64', 'for so many cores'],
  ],
  options: (cli) =>
    cli.option('cores', {
      type: 'string',
      requiresArg: true,
      default: '8',
      describe: 'how many cores to judge for',
    }),
  async alone({ args, terminal, json }) {
    const cores = wholeNumber('--cores', required(args, 'cores'), 1, 512);
    const findings = judge(await hostFacts(), cores);
    const { green, yellow, red } = terminal.colour;
    const paint = { ok: green, warning: yellow, bad: red };
    if (json) terminal.out(JSON.stringify(findings, null, 2));
    else
      for (const { check, state, found, advice } of findings)
        terminal.out(
          `${paint[state](state.padEnd(8))} ${check.padEnd(11)} ${found}${advice === '' ? '' : `\n${' '.repeat(21)}→ ${advice}`}`,
        );
    return findings.some(({ state }) => state === 'bad') ? 1 : 0;
  },
  run: () => Promise.resolve(),
};
