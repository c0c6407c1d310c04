import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseCopy, parseDockerfile, parseEnv } from './dockerfile.ts';

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const stages = parseDockerfile(read('Dockerfile'));
const image = stages.at(-1);
const said = (name: string) => image?.instructions.filter((instruction) => instruction.name === name) ?? [];

describe('the Dockerfile', () => {
  it('builds on one Debian image with glibc, which the embedded store needs', () => {
    expect(new Set(stages.map((stage) => stage.image))).toEqual(new Set(['node:20-bookworm-slim']));
  });

  it('runs as nobody in particular, by number, as a kubelet that demands it can tell', () => {
    expect(said('USER').map(({ rest }) => rest)).toEqual(['10001:10001']);
  });

  it('takes only files that .dockerignore lets through', () => {
    const lines = read('.dockerignore').split('\n');
    expect(lines).toContain('*');
    const copies = stages.flatMap(({ instructions }) =>
      instructions.filter(({ name }) => name === 'COPY').map(parseCopy),
    );
    const sources = copies.filter(({ from }) => from === undefined).flatMap((copy) => copy.sources);
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) expect(lines).toContain(`!${source.replace(/\/$/, '')}`);
  });

  it('brings no dependency of development', () => {
    const npm = stages.flatMap(({ name, instructions }) =>
      instructions
        .filter(({ rest }) => rest.startsWith('npm ci'))
        .map(({ rest }) => [name, rest.includes('--omit=dev')]),
    );
    expect(npm).toEqual([
      ['build', false],
      ['dependencies', true],
    ]);
  });

  it('listens where its container can be reached', () => {
    const environment = Object.assign({}, ...said('ENV').map(parseEnv));
    expect(environment).toMatchObject({
      TRAWL_HTTP_LISTEN: '0.0.0.0:9529',
      TRAWL_HTTP_ZIPKIN_LISTEN: '0.0.0.0:9411',
      TRAWL_HTTP_OTLP_LISTEN: '0.0.0.0:4318',
      TRAWL_HTTP_OTLP_GRPC_LISTEN: '0.0.0.0:4317',
    });
    expect(said('EXPOSE').map(({ rest }) => rest)).toEqual(['9529 9411 4317 4318']);
  });
});

describe('the reader of Dockerfiles', () => {
  it('joins lines that go on, and passes over comments between them', () => {
    const [stage] = parseDockerfile('FROM a AS b\nENV A=1 \\\n# why\n  B=2\nRUN x\n');
    expect(stage).toMatchObject({ name: 'b', image: 'a' });
    expect(stage?.instructions.map(({ name, rest }) => [name, rest])).toEqual([
      ['ENV', 'A=1 B=2'],
      ['RUN', 'x'],
    ]);
  });

  it('refuses what it does not know rather than passing over it', () => {
    expect(() => parseDockerfile('FROM a\nADD b c')).toThrow('line 2: the instruction ADD is not known here');
    expect(() => parseDockerfile('RUN a')).toThrow('line 1: RUN stands before the first FROM');
    expect(() => parseCopy({ line: 3, name: 'COPY', rest: '--chown=1 a b' })).toThrow('line 3');
    expect(() => parseEnv({ line: 4, name: 'ENV', rest: 'A="b c"' })).toThrow('line 4');
  });
});
