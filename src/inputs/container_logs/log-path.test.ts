import { describe, expect, it } from 'vitest';
import { compareRotations, createContainerFilter, parseLogName, parsePodDirectory } from './log-path.ts';

describe('names of log files', () => {
  it('reads namespace, pod and uid', () => {
    expect(parsePodDirectory('bookinfo_ratings-v1-7f4c_0d9c-11')).toEqual({
      namespace: 'bookinfo',
      pod: 'ratings-v1-7f4c',
      uid: '0d9c-11',
    });
    for (const name of ['', 'a_b', 'a_b_c_d', '_b_c', 'a__c', 'lost+found'])
      expect(parsePodDirectory(name)).toBeUndefined();
  });

  it('reads live, rotated and compressed files and leaves half-written ones alone', () => {
    expect(parseLogName('12.log')).toEqual({ restart: 12, rotation: '', isGzip: false });
    expect(parseLogName('0.log.20261121-101500')).toEqual({ restart: 0, rotation: '20261121-101500', isGzip: false });
    expect(parseLogName('0.log.20261121-101500.gz')).toEqual({ restart: 0, rotation: '20261121-101500', isGzip: true });
    for (const name of ['0.log.20261121-101500.tmp', '0.log.gz', 'a.log', '0.txt', '0.log.', '']) {
      expect(parseLogName(name)).toBeUndefined();
    }
  });

  it('orders by the stamp in the name, by the last write where there is none, and the live file last', () => {
    const file = (text: string, mtimeNs: bigint) => {
      const name = parseLogName(text);
      if (name === undefined) throw new Error(text);
      return { text, name, mtimeNs };
    };
    const stamped = [file('0.log', 1n), file('0.log.20260102-000000', 1n), file('0.log.20260101-000000.gz', 9n)];
    expect(stamped.sort(compareRotations).map(({ text }) => text)).toEqual([
      '0.log.20260101-000000.gz',
      '0.log.20260102-000000',
      '0.log',
    ]);
    const numbered = [file('0.log', 1n), file('0.log.1', 8n), file('0.log.2', 7n)];
    expect(numbered.sort(compareRotations).map(({ text }) => text)).toEqual(['0.log.2', '0.log.1', '0.log']);
  });

  it('includes and excludes by field and glob, and lets exclusion win', () => {
    const ratings = { namespace: 'bookinfo', pod: 'ratings-v1', container: 'ratings' };
    const test = (include: string[], exclude: string[]) => createContainerFilter(include, exclude)(ratings);
    expect(test([], [])).toBe(true);
    expect(test(['namespace:book*'], [])).toBe(true);
    expect(test(['namespace:other', 'pod:ratings-v?'], [])).toBe(true);
    expect(test(['container:rating'], [])).toBe(false);
    expect(test(['namespace:*'], ['container:ratings'])).toBe(false);
    expect(test(['image:*'], [])).toBe(false);
    expect(test(['pod:ratings.v1'], [])).toBe(false);
  });
});
