import { describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';

describe('trawl', () => {
  it('lists the commands of a group for whoever asks the group for help', async () => {
    const { exitCode, out, errors } = await runCommand(['query', '--help']);
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: [] });
    expect(out.map((line) => line.trim().split(/ {2,}/)[0])).toEqual([
      'query promql',
      'query trace',
      'query traces',
      '',
      'trawl COMMAND --help says more about each.',
    ]);
  });

  it('says the same for help before a command as for --help after it', async () => {
    for (const argv of [['query', 'trace'], ['send'], ['agent']]) {
      const asked = await runCommand(['help', ...argv]);
      expect(asked.exitCode).toBe(0);
      expect(asked).toEqual(await runCommand([...argv, '--help']));
    }
  });

  it('names the commands that there are where a word is none', async () => {
    expect(await runCommand(['query', 'trce', '--help'])).toMatchObject({
      exitCode: 2,
      errors: ['there is no command "query trce"', expect.stringContaining('query promql, query trace, query traces')],
    });
    expect(await runCommand(['help', 'agnet'])).toMatchObject({
      exitCode: 2,
      errors: ['there is no command "agnet"', expect.stringContaining('agent, check')],
    });
    expect(await runCommand(['query'])).toMatchObject({ exitCode: 2 });
  });

  it('says in its own words which value of an option is missing', async () => {
    const fault = async (...argv: string[]) => (await runCommand(['query', 'promql', 'up', ...argv])).errors[0];
    const help = '; trawl query promql --help says how it is used';
    expect(await fault('--range', '-5m')).toBe(
      `--range -5m is less than nothing; write DURATION without the minus${help}`,
    );
    expect(await fault('--limit', '-3')).toBe(`--limit -3 is less than nothing; write COUNT without the minus${help}`);
    expect(await fault('--range')).toBe(`--range needs a value: --range DURATION${help}`);
    expect(await fault('--token', '--json')).toBe(
      `--token needs a value, and --json looks like an option; where it is the value, write --token=--json${help}`,
    );
    expect(await fault('--json=yes')).toBe(`--json takes no value${help}`);
  });
});
