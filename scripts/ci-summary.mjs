// Prints jest's result as one line, "N passed, N failed, N skipped"; fails if no test ran.
import { readFileSync } from 'node:fs';

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, numRuntimeErrorTestSuites: 1 };
  }
}

const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites } = readResults(
  process.argv[2],
);
// A suite that fails to load has no tests to count; it counts as one failure.
const failed = numFailedTests + numRuntimeErrorTestSuites;
process.stdout.write(`${numPassedTests} passed, ${failed} failed, ${numPendingTests + numTodoTests} skipped\n`);
process.exitCode = failed > 0 || numPassedTests === 0 ? 1 : 0;
