import { describe, expect, test } from '@jest/globals';
import { bareProgram, ProgramSimulation } from './program-simulation.ts';

const HELLO = await bareProgram(`
  mk.print('hello from ' + mk.run.core + ' with ' + mk.run.args.join(' ') + ' ' + JSON.stringify(mk.run.environment));
  await mk.sleep(1e6);
  mk.exit(7);
`);

describe('a program', () => {
  test('runs with its arguments and environment, and its status is what it exits with', () => {
    const s = new ProgramSimulation();
    s.load(0, 'hello', HELLO);
    const domain = s.spawn(0, 'hello', ['a', 'b'], { environment: { N: 'x' } });
    expect(s.wait(0, domain)).toMatchObject({ cause: 'exited', status: 7, parts: { 0: 'exited' } });
    expect(s.output).toEqual(['0: hello from 0 with a b {"N":"x"}']);
  });

  test('runs on another core than it was loaded on', () => {
    const s = new ProgramSimulation();
    s.load(0, 'hello', HELLO);
    const domain = s.spawn(0, 'hello', ['there'], { core: 2 });
    expect(domain).toBe('2.1.1');
    expect(s.wait(1, domain)).toMatchObject({ cause: 'exited', status: 7, parts: { 2: 'exited' } });
    expect(s.output).toEqual(['2: hello from 2 with there {}']);
  });
});
