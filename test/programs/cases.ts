import { join } from 'node:path';

/** The programs of packages/programs/src/tests with the arguments that tests use, on five cores from core 0. */
export const CASES: readonly {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly seed?: number;
}[] = [
  { name: 'idctest, same core', file: 'idctest', args: ['0'] },
  { name: 'idctest, across cores', file: 'idctest', args: ['1,2'] },
  { name: 'rpc_cap, same core', file: 'rpc-cap', args: ['0'] },
  { name: 'rpc_cap, across cores', file: 'rpc-cap', args: ['1,3'] },
  { name: 'mt_waitset', file: 'mt-waitset', args: ['0,1,2'] },
  { name: 'multihop, one relay', file: 'multihop', args: ['0,1,2'] },
  { name: 'multihop, three relays', file: 'multihop', args: ['0,1,2,3,4'] },
  { name: 'spantest', file: 'spantest', args: ['0,1,2,3'] },
  { name: 'spantest, interleaved', file: 'spantest', args: ['0,1,2,3', 'interleaved'] },
  { name: 'spantest, xcorejoin', file: 'spantest', args: ['0,1,2', 'xcorejoin'] },
  { name: 'spantest, migrate', file: 'spantest', args: ['0,1,2', 'migrate'] },
  { name: 'spantest, exit', file: 'spantest', args: ['0,1,2', 'exit'] },
  { name: 'spawntest', file: 'spawntest', args: ['0,1,2'] },
  { name: 'proc_mgmt_test', file: 'proc-mgmt', args: ['0,1'] },
  { name: 'thc', file: 'thc', args: ['0,1,2'] },
  { name: 'yield', file: 'yield', args: [] },
  { name: 'memory', file: 'memory-basics', args: [] },
  { name: 'memory, requests that are refused', file: 'memory-refusals', args: [] },
  { name: 'memory to the last piece', file: 'memory-exhaust', args: ['0,1,2,3,4', '--rounds', '60'] },
  { name: 'shared memory', file: 'memory-shared', args: ['0,1,2,3,4'] },
];

export function fileOf(program: string): string {
  return join(process.cwd(), 'packages', 'programs', 'src', 'tests', `${program}.ts`);
}
