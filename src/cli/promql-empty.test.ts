import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';
import { type FakeAnswer, type FakeApi, type FakeRequest, startFakeApi } from '../../test/fixtures/fake-zipkin-api.ts';
import { end, endS, failure, success, vector } from '../../test/fixtures/promql-answers.ts';

let api: FakeApi;
afterEach(async () => {
  await api.close();
});

const matrix = () => ({ resultType: 'matrix', result: [] });

async function serve(answer: (request: FakeRequest) => FakeAnswer | undefined) {
  api = await startFakeApi(answer);
}
const query = (argv: readonly string[]) => runCommand(['query', 'promql', ...argv, '--url', api.url]);

describe('trawl query promql that finds nothing', () => {
  /** When the last sample of `up{job="shop"}` was taken. */
  let lastS = endS;
  const agent = ({ path, query: asked }: FakeRequest): FakeAnswer | undefined => {
    const match = asked['match[]'] ?? '';
    switch (path) {
      case '/api/v1/label/__name__/values':
        return success(['http_requests_total', 'http_responses_total', 'process_cpu_seconds_total', 'up']);
      case '/api/v1/label/job/values':
        return success(['pods', 'shop']);
      case '/api/v1/labels':
        return success(['__name__', 'instance', 'job']);
      case '/api/v1/series':
        return success(match === 'up' || match === 'up{job="shop"}' ? [{ __name__: 'up' }] : []);
      case '/api/v1/query': {
        if (asked['query'] === 'count(http_requests_total)') return success(vector([{}, '4']));
        const windowMs = /^max\(ts_of_last_over_time\(up.*\[(\d+)ms\]\)\)$/.exec(asked['query'] ?? '')?.[1];
        const isInWindow = Number(windowMs) / 1000 > Number(asked['time']) - lastS;
        return success(isInWindow ? vector([{}, String(lastS)]) : vector());
      }
      case '/api/v1/query_range':
        return success(matrix());
      default:
        return /^\/api\/v1\/label\//.test(path) ? success([]) : undefined;
    }
  };
  const asking = async (text: string) => {
    await serve(agent);
    const { exitCode, out, errors } = await query([text, '--time', end]);
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: [] });
    expect(errors[0]).toBe('no series at 2026-11-21 15:00:00 UTC');
    await api.close();
    return errors.slice(1);
  };

  it('names metrics with a similar name', async () => {
    expect(await asking('rate(http_request_total[5m])')).toEqual([
      'no metric is named http_request_total; similar names: http_requests_total, http_responses_total',
    ]);
    expect(await asking('cpu_seconds')).toEqual([
      'no metric is named cpu_seconds; similar names: process_cpu_seconds_total',
    ]);
    expect(await asking('zzz')).toEqual([
      'no metric is named zzz; there are 4, such as http_requests_total, http_responses_total, process_cpu_seconds_total, up',
    ]);
  });

  it('names the label that nothing has, or that never has this value', async () => {
    expect(await asking('up{job="shp"}')).toEqual([
      'no series of up has job="shp"; did you mean "shop"; its values are: pods, shop',
    ]);
    expect(await asking('up{pod="x"}')).toEqual(['no series of up has a label pod; its labels are: instance, job']);
    expect(await asking('up{job=~"x.*"}')).toEqual(['no series of up meets all of {job=~"x.*"}']);
  });

  it('says when the last sample was, and how to ask for it', async () => {
    lastS = endS - 460;
    expect(await asking('sum(up{job="shop"})')).toEqual([
      'up has no sample in the 5 minutes before; its last one is of 2026-11-21 14:52:20 UTC, 7 m 40 s earlier',
      'ask for it with --time 2026-11-21T14:52:20, or see how it went with --range 1h --end 2026-11-21T14:52:20',
    ]);
    lastS = endS - 23 * 3600;
    expect(await asking('up')).toEqual([
      expect.stringContaining('2026-11-20 16:00:00 UTC, 23 h 00 m earlier'),
      expect.anything(),
    ]);
    lastS = endS - 48 * 3600;
    expect(await asking('up')).toEqual([
      'up has no sample then, nor in the 24 hours before; its series are from another time',
    ]);
  });

  it('says that a series has ended, which a staleness marker tells, and when', async () => {
    lastS = endS - 3.6;
    expect(await asking('up')).toEqual([
      'up ended: its last sample is of 2026-11-21 14:59:56 UTC, 3.60 s earlier, and it is marked as gone since: its target stopped showing it, did not answer or went away',
      'ask for it with --time 2026-11-21T14:59:56.400, or see how it went with --range 1h --end 2026-11-21T14:59:56.400',
    ]);
  });

  it('says so of a range as well: before it, or between two of its points', async () => {
    await serve(agent);
    const inRange = async () => (await query(['up', '--range', '1h', '--end', end])).errors[1];
    lastS = endS - 1800;
    expect(await inRange()).toBe(
      'up ended in this range before the next point of it: its last sample is of 2026-11-21 14:30:00 UTC',
    );
    lastS = endS - 3660;
    expect(await inRange()).toBe(
      'up ended before this range: its last sample is of 2026-11-21 13:59:00 UTC, 1 m 00 s before its start',
    );
    lastS = endS - 7200;
    expect(await inRange()).toBe(
      'up has no sample in this range; its last one is of 2026-11-21 13:00:00 UTC, 1 h 00 m before its start',
    );
  });

  it('claims nothing of an agent that cannot say', async () => {
    await serve((request) =>
      request.query['query']?.startsWith('max(') ? failure(422, 'execution', 'too many samples') : agent(request),
    );
    expect((await query(['up', '--time', end])).errors[1]).toBe(
      'up has no sample then; when it had one last cannot be said',
    );
  });

  it('says that what was selected is there', async () => {
    expect(await asking('http_requests_total > 100')).toEqual([
      expect.stringContaining('a comparison that none meets'),
      'ask for its parts one by one',
    ]);
    expect(await asking('absent(http_requests_total)')).toEqual([
      'absent() answers 1 where there is nothing, and here is something',
    ]);
    await serve(agent);
  });

  it('says so of an agent that has no metric at all, or cannot say', async () => {
    await serve(({ path }) => (path.endsWith('/values') ? success([]) : success(vector())));
    expect((await query(['up'])).errors).toEqual([
      expect.stringContaining(': no metric is kept here yet'),
      expect.stringContaining(`targets --url ${api.url}`),
    ]);
    await api.close();
    await serve(({ path }) => (path === '/api/v1/query' ? success(vector()) : undefined));
    expect((await query(['up'])).errors).toEqual([expect.stringMatching(/^no series at /)]);
  });
});
