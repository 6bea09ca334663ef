import { churnAndAudit, describeAuditedChurn, isSound } from '../client/churn.ts';
import type { Program } from './program.ts';

const WORKERS = 2;
const ANY_NUMBER = 1e9;

export const CHURN_PROGRAM: Program = {
  name: 'churn',
  doc: 'random capability operations between domains of the cores, with an oracle; audits afterwards',
  fewestCores: 1,
  takes: ['seconds', 'seed'],
  async run({ cluster, cores, options: { seconds, seed } }) {
    const report = await churnAndAudit(cluster, cores, { seconds, seed, operations: ANY_NUMBER, workers: WORKERS });
    return { ok: isSound(report), lines: describeAuditedChurn(report), value: report };
  },
};
