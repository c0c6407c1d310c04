/** Times and texts that no tracer would send, in every trace format, through a whole agent and out of the APIs of Zipkin and Jaeger. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { type Raw, type RawFormat, type RawSpan, rawFormats } from '../fixtures/raw-spans.ts';

// A whole agent on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let agent: TestAgent;
let lastId = 0;

beforeAll(async () => {
  // Times of 1970 are older than any retention.
  agent = await startAgent({ sets: ['store.retention=forever'] });
  await agent.ready();
});

afterAll(async () => {
  await agent.remove();
});

interface Sent<Case> {
  readonly case: Case;
  readonly traceId: string;
  readonly status: number;
  readonly text: string;
}

/** Sends a span for each case, under ids that no other has; all are in the store when this resolves. */
async function sendEach<Case>(
  format: RawFormat,
  cases: readonly Case[],
  spanOf: (which: Case) => Partial<RawSpan>,
): Promise<readonly Sent<Case>[]> {
  const sent: Sent<Case>[] = [];
  for (const which of cases) {
    lastId += 1;
    const id = `a${lastId.toString(16).padStart(15, '0')}`;
    const traceId = format.kind === 'otlp' ? `b${id.padStart(31, '0')}` : id;
    const body = format.encode([{ traceId, id, name: 'n', ...spanOf(which) }]);
    const { status, text } = await agent.post(format.path, body, { 'content-type': format.contentType });
    sent.push({ case: which, traceId, status, text });
  }
  await agent.flush();
  return sent;
}

async function read(path: string): Promise<string> {
  const { status, text } = await agent.get(path);
  expect(status, text).toBe(200);
  return text;
}

/** The digits of a number or of a number in quotes, which `JSON.parse` would round. */
const digitsOf = (text: string, field: string): string | undefined =>
  new RegExp(`"${field}":"?(-?[0-9]+)`).exec(text)?.[1];

const named = (has: (format: RawFormat) => boolean) =>
  rawFormats.filter(has).map((format) => [format.name, format] as const);

describe('a time', () => {
  const nowUs = BigInt(Date.now()) * 1000n + 123n;
  const units: readonly (readonly [string, bigint])[] = [
    ['seconds', nowUs / 1_000_000n],
    ['milliseconds', nowUs / 1000n],
    ['microseconds', nowUs],
    ['nanoseconds', nowUs * 1000n + 457n],
    ['nothing', 0n],
    ['before 1970', -1n],
    ['long before 1970', -nowUs],
    ['the year 2255', 2n ** 53n - 1n],
    ['beyond 2^53', 2n ** 53n + 1n],
    ['beyond 2^62', 2n ** 62n + 1n],
    ['the last of 63 bits', 2n ** 63n - 1n],
    ['the first beyond 63 bits', 2n ** 63n],
    ['the last of 64 bits', 2n ** 64n - 1n],
  ];

  it.each(
    named(({ kind }) => kind !== 'otlp').flatMap(([name, format]) => [
      [name, format, 'start'] as const,
      [name, format, 'duration'] as const,
    ]),
  )('is what Zipkin says it is: %s', async (_, format, field) => {
    const isJson = format.contentType === 'application/json';
    for (const {
      case: [what, value],
      traceId,
      status,
    } of await sendEach(format, units, ([, time]) => ({
      start: nowUs,
      [field]: time,
    }))) {
      // JSON has no sign in the way: there, what is more than 63 bits is refused, and the first such number is their last.
      expect([what, status]).toEqual([what, isJson && value > 2n ** 63n ? 400 : 202]);
      if (status !== 202) continue;
      const zipkin = await read(`/api/v2/trace/${traceId}`);
      const shown = digitsOf(zipkin, field === 'start' ? 'timestamp' : 'duration');
      const meant = isJson ? value : BigInt.asIntN(64, value);
      if (meant <= 0n) {
        expect([what, shown]).toEqual([what, undefined]);
        continue;
      }
      // The first number beyond a long is the last long in JSON, as Java casts a double.
      const kept = meant < 2n ** 63n ? meant : 2n ** 63n - 1n;
      expect([what, shown]).toEqual([what, String(kept)]);
      // OpenTelemetry's nanoseconds begin anew beyond 64 bits, as in the collector.
      const otlp = await read(`/api/v3/traces/${traceId}`);
      const [start, end] = ['startTimeUnixNano', 'endTimeUnixNano'].map((name) => digitsOf(otlp, name));
      const startNs = BigInt.asUintN(64, (field === 'start' ? kept : nowUs) * 1000n);
      const endNs = field === 'start' ? startNs : BigInt.asUintN(64, startNs + kept * 1000n);
      expect([what, start]).toEqual([what, String(startNs)]);
      // An end before its start, which Jaeger reads with a sign, is put right, one nanosecond behind it.
      const isBefore = BigInt.asIntN(64, endNs) < BigInt.asIntN(64, startNs);
      expect([what, end]).toEqual([what, String(isBefore ? startNs + 1n : endNs)]);
      // Go's times have a sign, which Jaeger's microseconds have not.
      const jaeger = await read(`/api/traces/${traceId}`);
      const shownTime = BigInt.asUintN(64, BigInt.asIntN(64, startNs) / 1000n);
      expect([what, digitsOf(jaeger, 'startTime')]).toEqual([what, String(shownTime)]);
      const durationUs = isBefore ? 0n : BigInt.asUintN(64, endNs - startNs) / 1000n;
      expect([what, digitsOf(jaeger, 'duration')]).toEqual([what, String(durationUs)]);
    }
  });

  it('of an annotation is what Zipkin says it is, also below zero: v2 JSON', async () => {
    const times = units.filter(([, time]) => time < 2n ** 63n);
    for (const [what, time] of [...times, ['the first of 64 bits', -(2n ** 63n)] as const]) {
      lastId += 1;
      const id = `a${lastId.toString(16).padStart(15, '0')}`;
      const others = `{"timestamp":${time + 1n > 2n ** 63n - 1n ? time - 1n : time + 1n},"value":"next"}`;
      const body = `[{"traceId":"${id}","id":"${id}","annotations":[${others},{"timestamp":${time},"value":"x"}]}]`;
      expect((await agent.post('/api/v2/spans', body)).status).toBe(202);
      await agent.flush();
      const shown = await read(`/api/v2/trace/${id}`);
      expect([what, shown.includes(`{"timestamp":${time},"value":"x"}`)]).toEqual([what, true]);
      const isLast = time === 2n ** 63n - 1n;
      expect([what, shown.indexOf('"x"') < shown.indexOf('"next"')]).toEqual([what, !isLast]);
    }
  });

  it('that two annotations of v1 are apart is exact: v1 JSON', async () => {
    const at = (time: bigint, value: string) =>
      `{"timestamp":${time},"value":"${value}","endpoint":{"serviceName":"a"}}`;
    const begin = 2n ** 53n + 1n;
    for (const end of [2n ** 54n + 3n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      lastId += 1;
      const id = `a${lastId.toString(16).padStart(15, '0')}`;
      const body = `[{"traceId":"${id}","id":"${id}","annotations":[${at(begin, 'cs')},${at(end, 'cr')}]}]`;
      expect((await agent.post('/api/v1/spans', body)).status).toBe(202);
      await agent.flush();
      const shown = await read(`/api/v2/trace/${id}`);
      expect(digitsOf(shown, 'timestamp')).toBe(String(begin));
      // As 64 bits have it: what ends so long before it began is taken for long after.
      expect(digitsOf(shown, 'duration')).toBe(String(BigInt.asIntN(64, end - begin)));
    }
  });

  it.each(named(({ kind }) => kind === 'otlp'))('comes back to the nanosecond: %s', async (_, format) => {
    const isJson = format.contentType === 'application/json';
    for (const {
      case: [what, value],
      traceId,
      status,
    } of await sendEach(format, units, ([, start]) => ({ start }))) {
      expect([what, status]).toEqual([what, isJson && value < 0n ? 400 : 200]);
      if (status !== 200) continue;
      const shown = digitsOf(await read(`/api/v3/traces/${traceId}`), 'startTimeUnixNano');
      // What is zero is left out.
      expect([what, shown ?? '0']).toEqual([what, String(BigInt.asUintN(64, value))]);
    }
    const start = nowUs * 1000n + 1n;
    const durations = units.filter(([, value]) => value > 0n && value < 2n ** 63n);
    for (const {
      case: [what, value],
      traceId,
      status,
    } of await sendEach(format, durations, ([, duration]) => ({
      start,
      duration,
    }))) {
      expect([what, status]).toEqual([what, 200]);
      const shown = digitsOf(await read(`/api/v3/traces/${traceId}`), 'endTimeUnixNano');
      // What is beyond 63 bits lies before 1970 to Jaeger, and so before its start, and is put right.
      const end = start + value < 2n ** 63n ? start + value : start + 1n;
      expect([what, shown]).toEqual([what, String(end)]);
    }
  });

  it('is where a search finds the span, be it of 1970', async () => {
    const past = units.slice(0, 3);
    for (const format of rawFormats) {
      const times = past.map(([what, value]) => [what, format.kind === 'otlp' ? value * 1000n : value] as const);
      for (const {
        case: [what, value],
        traceId,
      } of await sendEach(format, times, ([, start]) => ({
        start,
        service: format.name,
        // In v1 a span's service is that of its annotations.
        tags: [['k', 'v']],
      }))) {
        const endTs = value / format.unitsPerUs / 1000n + 1n;
        const query = `serviceName=${encodeURIComponent(format.name)}&endTs=${endTs}&lookback=1000`;
        const found = (await read(`/api/v2/traces?${query}`)).includes(traceId);
        expect([format.name, what, found]).toEqual([format.name, what, true]);
      }
    }
  });
});

describe('a text', () => {
  const texts: readonly (readonly [string, Raw, shown: string])[] = [
    ['with NUL', 'a\0b', 'a\0b'],
    ['that is no UTF-8', Buffer.from('61ff62c328', 'hex'), 'a\ufffdb\ufffd('],
    ['that is overlong UTF-8', Buffer.from('61c08062', 'hex'), 'a\ufffd\ufffdb'],
    ['with separators of lines and paragraphs', 'a\u2028b\u2029', 'a\u2028b\u2029'],
    ['from right to left', 'a\u202eb\u200f', 'a\u202eb\u200f'],
    ['with a byte order mark', '\ufeffa', '\ufeffa'],
    ['beyond the basic plane', 'a🐟b', 'a🐟b'],
    ['that HTML and shells would read', `</script>'"\\$(x)\`\x1b[31m`, `</script>'"\\$(x)\`\x1b[31m`],
    ['of 70,000 characters', 'n'.repeat(70_000), 'n'.repeat(70_000)],
  ];
  it.each(named(() => true))(
    'comes back as it came from a name, a service, a key and a value: %s',
    async (_, format) => {
      for (const {
        case: [what, , shown],
        traceId,
        status,
        text,
      } of await sendEach(format, texts, ([, raw]) => ({
        name: raw,
        service: raw,
        start: nowIn(format),
        tags: [
          ['k', raw],
          [raw, 'v'],
        ],
      }))) {
        expect([what, status], text).toEqual([what, format.taken]);
        expect(JSON.parse(await read(`/api/v2/trace/${traceId}`)), what).toMatchObject([
          { name: shown, localEndpoint: { serviceName: shown }, tags: { k: shown, [shown]: 'v' } },
        ]);
        const [trace] = JSON.parse(await read(`/api/traces/${traceId}`)).data;
        const [span] = trace.spans;
        expect([what, span.operationName, trace.processes[span.processID].serviceName]).toEqual([what, shown, shown]);
        const tag = (key: string) => span.tags.find((each: { key: string }) => each.key === key)?.value;
        expect([what, tag('k'), tag(shown)]).toEqual([what, shown, 'v']);
        const { result } = JSON.parse(await read(`/api/v3/traces/${traceId}`));
        expect([what, result.resourceSpans[0].scopeSpans[0].spans[0].name]).toEqual([what, shown]);
      }
    },
  );

  it('with half a surrogate pair becomes what the format’s own server makes of it', async () => {
    for (const format of rawFormats) {
      const [sent] = await sendEach(format, ['a\ud800b'], (name) => ({ name }));
      expect(sent?.status).toBe(format.taken);
      // Java writes a question mark for a lone half; as bytes it is no UTF-8 to begin with.
      const isJavaText = format.kind !== 'otlp' && format.contentType === 'application/json';
      const [span] = JSON.parse(await read(`/api/v2/trace/${sent?.traceId}`));
      expect([format.name, span.name]).toEqual([format.name, isJavaText ? 'a?b' : 'a\ufffdb']);
    }
  });
});

const nowIn = ({ unitsPerUs }: RawFormat): bigint => BigInt(Date.now()) * 1000n * unitsPerUs;

it('logged no error over any of it', () => {
  expect(
    agent
      .output()
      .split('\n')
      .filter((line) => /"level":(50|60)/.test(line)),
  ).toEqual([]);
});
