import type { MachineDescription } from '@mk/machine/description';
import { machineFromParent } from '@mk/monitor-proto/io/parent';
import { parseSkbSettings } from './io/settings.ts';
import { SkbProcess } from './io/skb-process.ts';

/** The program of the SKB. Everything it is told stands in MK_SKB, but the machine, which its parent tells. */
const settings = parseSkbSettings(process.env.MK_SKB);
if (typeof settings === 'string') {
  process.stderr.write(`mk skb: ${settings}\n`);
  process.exit(2);
}
if (settings.machineFollows) {
  void machineFromParent<MachineDescription>().then((machine) => new SkbProcess({ ...settings, machine }).start());
} else void new SkbProcess(settings).start();
