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
});
