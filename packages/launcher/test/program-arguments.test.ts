import { expect, test } from '@jest/globals';
import { withProgramArguments } from '@mk/launcher/cli/program-arguments';

const parted = (line: string): string => withProgramArguments(line.split(' ')).join(' ');

test.each([
  ['--cores 4 run ./p.ts --rounds 10', '--cores 4 run ./p.ts -- --rounds 10'],
  ['--cores 4 run ./p.ts', '--cores 4 run ./p.ts --'],
  ['--cores=4 --json run ./p.ts -- --json', '--cores=4 --json run ./p.ts -- --json'],
  ['--name run --cores 4', '--name run --cores 4'],
  ['run --help', 'run --help'],
  ['run --on 0,2 ./p.ts a -b', 'run --on 0,2 ./p.ts -- a -b'],
  ['sim run ./p.ts --cores 64 --rounds 10 --seed 7 x', 'sim run ./p.ts --cores 64 --seed 7 -- --rounds 10 x'],
  ['sim --seed 7 run ./p.ts --once --json -- --seed 8', 'sim --seed 7 run ./p.ts --once --json -- --seed 8'],
  ['sim run ./p.ts --plan=p.yaml --on 0', 'sim run ./p.ts --plan=p.yaml --on 0 --'],
  ['sim shootdown --machine amd-8x4', 'sim shootdown --machine amd-8x4'],
  ['tour', 'tour'],
])('%s', (line, expected) => {
  expect(parted(line)).toBe(expected);
});

test('an option that is nearly one of the simulator’s is a mistake', () => {
  expect(() => parted('sim run ./p.ts --sedd 7')).toThrow('did you mean --seed?');
  expect(parted('sim run ./p.ts -- --sedd 7')).toBe('sim run ./p.ts -- --sedd 7');
});
