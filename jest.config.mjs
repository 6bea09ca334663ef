// Tests run from TypeScript source as ES modules: run through `node scripts/test.mjs` (it sets --experimental-vm-modules).
import { availableParallelism } from 'node:os';

export default {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@mk/source', 'node', 'node-addons'] },
  roots: ['<rootDir>/packages', '<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  moduleNameMapper: { '^fast-check$': '<rootDir>/test/support/seeded-fast-check.mjs' },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  // As jest counts itself, but two on two CPUs: a test of real processes mostly waits.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // Against a test that hangs; how long one takes is the host's affair.
  testTimeout: 900_000,
  reporters: ['default', '<rootDir>/scripts/slowest-tests.mjs'],
};
