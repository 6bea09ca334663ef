import type { SkbClient } from '@mk/libmk/io/skb-client';
import { OctopusError } from '@mk/libmk/octopus/octopus';
import { QueryError } from '@mk/monitor-proto/knowledge/query';
import { CommandError } from '../cli/usage-error.ts';
import type { CtlContext } from './context.ts';

/** Opens a link to the SKB for a command's duration; a refusal by the SKB is one line. */
export async function withSkb<T>(context: CtlContext, work: (skb: SkbClient) => Promise<T>): Promise<T> {
  const skb = await context.cluster.openSkb();
  try {
    return await work(skb);
  } catch (error) {
    if (error instanceof QueryError) throw new CommandError(`${error.name}: ${error.message}`);
    if (error instanceof OctopusError) throw new CommandError(error.message);
    throw error;
  } finally {
    await skb.close();
  }
}
