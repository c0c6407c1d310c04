// Before a build, and so before `npm start`: without the dependencies all it could say is "tsc: not found". Plain JavaScript, as nothing is there to run more.
import { createRequire } from 'node:module';

try {
  createRequire(import.meta.url).resolve('typescript/package.json');
} catch {
  // Whatever keeps it from being found, the next step is the same.
  process.stderr.write('The dependencies are not installed. Run "npm ci" here first, then this command again.\n');
  process.exitCode = 1;
}
