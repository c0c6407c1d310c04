import { checkConfiguration } from '../config/check.ts';
import type { Command } from './command.ts';
import { configurationOptions, loadOptionsOf } from './configuration.ts';

/** `trawl check`: every error of a configuration at once. */
export const checkCommand: Command = {
  name: 'check',
  summary: 'Checks a configuration and prints every error of every file; exits 1 if there is one.',
  positionals: [],
  options: configurationOptions,
  example: 'trawl check --config /etc/trawl',
  async run(args, terminal) {
    const { text, exitCode } = await checkConfiguration(loadOptionsOf(args, terminal.environment));
    (exitCode === 0 ? terminal.out : terminal.error)(text.trimEnd());
    return exitCode;
  },
};
