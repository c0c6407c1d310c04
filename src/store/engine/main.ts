/** Starts a store process straight from this folder; `trawl store` is the same through the command line. */
import { parseStoreArguments, storeUsage } from './command.ts';
import { runStore } from './run-store.ts';

const options = parseStoreArguments(process.argv.slice(2));
if ('mistake' in options) {
  process.stderr.write(`${options.mistake}\n\n${storeUsage}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await runStore(options);
}
