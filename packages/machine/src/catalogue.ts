import { unknownWord } from './nearest.ts';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';

/** The machines that ship, as files `<name>.yaml` of the machines directory. */
export const SHIPPED_MACHINES: readonly { readonly name: string; readonly doc: string }[] = [
  { name: 'flat', doc: 'No added delay; four cores a package; as many as you ask for.' },
  { name: 'hotos09', doc: '4x4 cores with the cycles of the HotOS 2009 paper: cache 130, one hop 190, two hops 260.' },
  { name: 'intel-2x4', doc: 'Two packages of two dies of two cores, 2.66 GHz; the paper’s Intel machine.' },
  { name: 'amd-2x2', doc: 'Two packages of two cores, 2.8 GHz; the paper’s smallest AMD machine.' },
  { name: 'amd-4x4', doc: 'Four packages of four cores in a square, 2.5 GHz; the paper’s middle AMD machine.' },
  { name: 'amd-8x4', doc: 'Eight packages of four cores in a twisted ladder, 2.0 GHz; the paper’s large AMD machine.' },
  { name: 'rack', doc: 'A datacentre: four racks of two hosts of four cores, one spine; 20 to 250 µs.' },
  { name: 'wan', doc: 'Five regions of the earth, two hosts of two cores each; 0.03 to 140 ms.' },
];

/** The name of a shipped machine, or an error that suggests the nearest one. */
export function findMachine(name: string): Result<string, string> {
  const names = SHIPPED_MACHINES.map((machine) => machine.name);
  return names.includes(name) ? succeed(name) : refuse(unknownWord('machine', name, names));
}
